package preflight

import (
	"context"
	"fmt"
	"strings"
)

// senderDomain is the domain of the sender.
func (x *exam) senderDomain() string {
	return strings.ToLower(x.opts.Sender[strings.LastIndexByte(x.opts.Sender, '@')+1:])
}

// senderMX looks whether the sender's domain takes mail: receivers refuse a sender that cannot be answered.
func (x *exam) senderMX(ctx context.Context) finding {
	d := x.senderDomain()
	answer := func(st State, what, advice string) finding {
		return finding{Finding: Finding{Check: CheckSenderMX, State: st, Severity: Warning, What: what, Advice: advice}}
	}
	advice := fmt.Sprintf("Publish an MX record for %s that leads to a server which takes mail for the sender.", d)
	mx := x.opts.DNS.MX(ctx, d)
	switch {
	case mx.Status == Failed:
		return answer(Unknown, fmt.Sprintf("the MX records of %s could not be looked up: %s", d, mx.Detail), resolverAdvice)
	case mx.Status == Found && mx.Values[0].Host != "":
		return x.senderHost(ctx, d, mx.Values, answer, advice)
	case mx.Status == Found:
		return answer(Bad, fmt.Sprintf("%s declares that it takes no mail (null MX)", d), advice)
	}
	switch a := x.opts.DNS.Addrs(ctx, d); a.Status {
	case Found:
		return answer(Bad, fmt.Sprintf("%s has an address and no MX record, which some servers refuse", d), advice)
	case Failed:
		return answer(Unknown, fmt.Sprintf("%s has no MX record, and its address could not be looked up: %s", d, a.Detail), resolverAdvice)
	default:
		return answer(Bad, fmt.Sprintf("%s has no MX record, so the sender cannot be answered", d), advice)
	}
}

// senderHost looks whether one of the mail hosts of the sender's domain has an address.
func (x *exam) senderHost(ctx context.Context, d string, hosts []MX, answer func(State, string, string) finding, advice string) finding {
	doubt := ""
	for _, h := range hosts {
		switch a := x.opts.DNS.Addrs(ctx, h.Host); a.Status {
		case Found:
			return answer(OK, fmt.Sprintf("mail for %s goes to %s", d, sayable(h.Host)), "")
		case Failed:
			doubt = a.Detail
		}
	}
	if doubt != "" {
		return answer(Unknown, fmt.Sprintf("the mail hosts of %s could not be looked up: %s", d, doubt), resolverAdvice)
	}
	return answer(Bad, fmt.Sprintf("no mail host of %s has an address", d), advice)
}
