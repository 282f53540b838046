package mailworld

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Spec describes a world. The zero Spec is an empty one: every domain in it is unknown.
// A world keeps what it is given; maps and slices in it must not be changed afterwards.
type Spec struct {
	// Hosts are the mail hosts.
	Hosts []Host
	// Domains are the names in the DNS, and what the hosts know about recipients there.
	Domains []Domain
	// Find supplies domains that are not listed, for worlds too large to write down. It is asked once for each name,
	// in lower case and without a final dot, and must be safe for concurrent use.
	Find func(name string) (Domain, bool)
	// Only, unless it is nil, are the top-level domains that the name server answers for; queries for names elsewhere,
	// if no Domain has them, are REFUSED.
	Only []string
	// RTT is the simulated round trip between any client and any host: a connection costs one,
	// bytes take half of it each way, a UDP query costs one.
	RTT time.Duration
	// Window is how many bytes a connection holds each way before writes block, in memory. 0 means DefaultWindow.
	Window int
	// SourceNames are the host names of the source addresses 0, 1, … ([World.SourceAddr]), published as PTR and A.
	// A source without one (or with "") has no PTR, unless SourceNames is nil: then source n is "sourceN.egress.test".
	SourceNames []string
	// NegativeTTL is the minimum field of SOA records. 0 means one minute.
	NegativeTTL time.Duration
	// CountersOnly keeps no commands and queries, only counts: for load tests.
	CountersOnly bool
}

// check says what is wrong with a spec.
func (s *Spec) check() error {
	hosts := make(map[string]bool, len(s.Hosts))
	var errs []error
	for i := range s.Hosts {
		name := canonical(s.Hosts[i].Name)
		if name == "" || hosts[name] {
			errs = append(errs, fmt.Errorf("mailworld: host %d: name %q is empty or taken", i, s.Hosts[i].Name))
		}
		hosts[name] = true
	}
	domains := make(map[string]bool, len(s.Domains))
	for i := range s.Domains {
		d := &s.Domains[i]
		name := canonical(d.Name)
		if name == "" || domains[name] {
			errs = append(errs, fmt.Errorf("mailworld: domain %d: name %q is empty or taken", i, d.Name))
		}
		domains[name] = true
		if d.Host != "" && !hosts[canonical(d.Host)] {
			errs = append(errs, fmt.Errorf("mailworld: domain %s: there is no host %q", d.Name, d.Host))
		}
	}
	return errors.Join(errs...)
}

// canonical is a domain name as maps are keyed with it.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
