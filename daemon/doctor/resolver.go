package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/verimails/verimaild/daemon"
	"github.com/verimails/verimaild/verify/maildns"
)

// slowAnswer is how long an answer about the root, which every resolver knows, may take.
const slowAnswer = time.Second

// resolver looks at each name server by itself.
func (x *exam) resolver(ctx context.Context) []Finding {
	if x.Config == nil || x.faulty("resolver.servers") {
		return nil
	}
	r, err := daemon.Resolver(x.Config)
	if err != nil {
		return []Finding{{
			Check: "answers", State: Fail, Found: "there is no name server to ask: " + err.Error(),
			Advice: "Install a resolver on this host, such as unbound, or set resolver.servers.",
		}}
	}
	defer r.Close()
	present := x.Config.Preflight.PortTargets
	var out []Finding
	for _, e := range r.Examine(ctx, madeUp(), present[:min(len(present), 2)]) {
		for _, f := range server(&e) {
			f.Subject = e.Server
			out = append(out, f)
		}
	}
	return out
}

// madeUp are names that nobody has. Resolvers that invent answers do so for names like www.something.com above all.
func madeUp() []string {
	label := func() string { return strings.ToLower(rand.Text()) }
	return []string{"www." + label() + ".com", label() + ".net", label() + ".org"}
}

const ownResolver = "Use a resolver of your own, on this host best, such as unbound."

// server is what is to be said of one name server.
func server(e *maildns.Examination) []Finding {
	if e.UDP != nil && e.TCP != nil {
		return []Finding{{Check: "answers", State: Fail, Found: "does not answer: " + e.UDP.Error(), Advice: "Start it, or correct resolver.servers or /etc/resolv.conf."}}
	}
	var out []Finding
	switch {
	case e.UDP != nil:
		out = append(out, Finding{Check: "answers", State: Warn, Found: "does not answer over UDP: " + e.UDP.Error(), Advice: "Open UDP port 53 to it."})
	case e.Took > slowAnswer:
		out = append(out, Finding{Check: "answers", State: Warn, Found: fmt.Sprintf("takes %s to answer", e.Took.Round(time.Millisecond)), Advice: ownResolver})
	default:
		out = append(out, Finding{Check: "answers", State: OK, Found: fmt.Sprintf("answers, in %s", e.Took.Round(100*time.Microsecond))})
	}
	if e.TCP != nil {
		out = append(out, Finding{
			Check: "truncation", State: Warn, Found: "does not answer over TCP: " + e.TCP.Error(),
			Advice: "Open TCP port 53 to it: answers that do not fit a datagram are lost, and their domains are dns_failure.",
		})
	} else {
		out = append(out, Finding{Check: "truncation", State: OK, Found: "answers over TCP what does not fit a datagram"})
	}
	return append(out, honesty(e), dnssec(e))
}

// honesty is about a server that says what the DNS does not.
func honesty(e *maildns.Examination) Finding {
	f := Finding{Check: "honesty", State: OK, Found: "says of made-up names that they do not exist"}
	switch {
	case len(e.Invents) > 0:
		f.State, f.Found = Fail, fmt.Sprintf("invents addresses for names that do not exist, such as %s", e.Invents[0])
		f.Advice = ownResolver + " With this one, domain_not_found is never answered, and made-up hosts are dialled."
	case len(e.Hides) > 0:
		f.State, f.Found = Unknown, fmt.Sprintf("says that %s does not exist: it is cut off from the public DNS, or it lies", e.Hides[0])
		f.Advice = "If preflight.port_targets is right, domain_not_found cannot be relied on. " + ownResolver
	}
	return f
}

func dnssec(e *maildns.Examination) Finding {
	if e.Validates {
		return Finding{Check: "dnssec", State: OK, Found: "checks DNSSEC signatures"}
	}
	return Finding{Check: "dnssec", State: Note, Found: "does not check DNSSEC signatures", Advice: "A resolver of your own that does is harder to lie to."}
}
