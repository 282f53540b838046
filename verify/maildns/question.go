package maildns

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// An outcome is what the DNS says to one question, all CNAMEs followed. It is shared between callers and
// must not be changed.
type outcome struct {
	status  Status // Found, NoData, DomainNotFound, Timeout or Failure.
	records []dns.RR
	ttl     time.Duration // 0 if status is Timeout or Failure.
	server  string
	detail  string
}

// A questionKey tells questions apart that may share an answer: those under the same settings.
type questionKey struct {
	set  *settings
	name string
	kind uint16
}

// question asks for the records of type kind at name, which ends in a dot, or joins who is asking just now. If ctx ends
// first the outcome is Timeout.
func (r *Resolver) question(ctx context.Context, set *settings, name string, kind uint16) outcome {
	key := questionKey{set, dns.CanonicalName(name), kind}
	out, err := r.questions.do(ctx, key, questionBudget*set.timeout, func(ctx context.Context) outcome {
		return r.follow(ctx, set, key.name, kind)
	})
	if err != nil {
		return failedOutcome(name, kind, Timeout, errGaveUp)
	}
	return out
}

// follow asks for name and, as long as a server names an alias and does not know what is behind it, for that.
func (r *Resolver) follow(ctx context.Context, set *settings, name string, kind uint16) outcome {
	at, hops, ttl := name, 0, maxTTL
	asked := make(map[string]bool)
	for {
		asked[at] = true
		sec, err := r.ask(ctx, set, dns.Question{Name: at, Qtype: kind, Qclass: dns.ClassINET})
		if err != nil {
			status := Failure
			if failed, ok := errors.AsType[*failedError](err); ok {
				status = failed.status
			}
			return failedOutcome(at, kind, status, err)
		}
		hops, ttl = hops+sec.hops, min(ttl, sec.ttl)
		out := outcome{status: Found, records: sec.records, ttl: ttl, server: sec.server}
		switch {
		case hops > maxChain || !sec.settled && asked[sec.end]:
			return failedOutcome(name, kind, Failure, errChain)
		case !sec.settled:
			at = sec.end
			continue
		case sec.nx:
			out.status = DomainNotFound
		case len(sec.records) == 0:
			out.status = NoData
		}
		return out
	}
}

func failedOutcome(name string, kind uint16, status Status, err error) outcome {
	return outcome{
		status: status,
		detail: clip(fmt.Sprintf("%s %s: %v", strings.TrimSuffix(name, "."), dns.TypeToString[kind], err)),
	}
}
