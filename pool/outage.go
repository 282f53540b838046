package pool

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/verimails/verimaild/pool/smtp"
)

// An outage is an address of a mail host that several sources could not connect to: then it is the host's, and no source
// tries it for a while. The zero outage is of an address that fails for nobody yet.
type outage struct {
	host     string
	failed   [2]failedFrom // The last failures from two sources, the last one first.
	opens    int           // In a row. 0 is as long as only one source has failed.
	until    time.Duration // Nothing is tried until then.
	last     time.Duration // When the last failure was.
	timedOut bool          // It was a timeout.
	trial    *attempt      // Which finds out whether it is over; nil if none does.
}

// failedFrom is when a source failed to connect.
type failedFrom struct {
	source *sourceState
	at     time.Duration
}

// outages are the addresses that could not be connected to lately. Guarded by Pool.mu.
type outages map[netip.Addr]*outage

const (
	outageWindow = 5 * time.Minute // Two sources fail within it.
	outageFirst  = 2 * time.Minute // And then twice as long each time,
	outageMost   = time.Hour       // up to that.
)

// failed notes that an attempt could not connect to an address.
func (os outages) failed(s silence, in *attempt, now time.Duration) {
	if len(os) >= mostRoutes {
		os.sweep(now)
	}
	o := os[s.to]
	if o == nil || now-o.last > routeMemory {
		o = &outage{}
		os[s.to] = o
	}
	src := in.path.source
	o.host, o.last, o.timedOut = s.host, now, s.timedOut
	if o.failed[0].source != src {
		o.failed[1] = o.failed[0]
	}
	o.failed[0] = failedFrom{src, now}
	other := o.failed[1]
	switch {
	case o.until > now: // It was under way before the others knew.
	case o.opens > 0 && o.trial == in, other.source != nil && now-other.at <= outageWindow:
		o.until = now + min(outageFirst<<min(o.opens, 10), outageMost)
		o.opens++
		o.trial = nil
	}
}

// rests reports until when an address is left alone by an attempt; 0 if it may be tried. The first that may after an outage
// finds out whether it is over, and all others wait for that.
func (os outages) rests(to netip.Addr, a *attempt, now time.Duration) (*outage, time.Duration) {
	o := os[to]
	switch {
	case o == nil || o.opens == 0:
		return nil, 0
	case now < o.until:
		return o, o.until
	case a == nil: // It only wants to know.
		if o.trial != nil {
			return o, now + trickle
		}
		return nil, 0
	case o.trial == nil:
		o.trial = a
	case o.trial != a:
		return o, now + trickle
	}
	return nil, 0
}

// pardon forgets what failed since an instant: it was this host's own doing.
func (os outages) pardon(since time.Duration) {
	maps.DeleteFunc(os, func(_ netip.Addr, o *outage) bool { return o.last >= since })
}

func (os outages) sweep(now time.Duration) {
	makeRoom(os, func(_ netip.Addr, o *outage) bool {
		return now-o.last > outageWindow && now > o.until && o.trial == nil
	})
}

// outcome is what an attempt is told of an address that is out.
func (o *outage) outcome(p *Pool, to netip.Addr) Outcome {
	out := Outcome{
		Stage: smtp.StageConnect, Host: o.host, IP: to, At: p.wall(o.last), Failure: FailConnectRefused,
		Detail: fmt.Sprintf("connect to %s [%v] has failed from several sources; it is left alone for a while", o.host, to),
	}
	if o.timedOut {
		out.Failure = FailConnectTimeout
	}
	return out
}

// letGo gives up the outages that a was to find out about and did not.
func (a *attempt) letGo() {
	if len(a.trials) == 0 {
		return
	}
	p := a.path.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, to := range a.trials {
		if o := p.outages[to]; o != nil && o.trial == a {
			o.trial = nil
		}
	}
}

// outOfReach is what is answered at once where all addresses of a lane are out; nil if one may be tried, or a session is
// there that tries or talks to one.
func (la *lane) outOfReach(now time.Duration) *Outcome {
	if len(la.path.pool.outages) == 0 || la.open > 0 {
		return nil
	}
	return la.allOut(now)
}

// allOut is what is answered where all addresses of a lane are out; nil if one may be tried.
func (la *lane) allOut(now time.Duration) *Outcome {
	p := la.path.pool
	var first *outage
	var at netip.Addr
	var soonest time.Duration
	for i := range la.hosts {
		for _, to := range la.hosts[i].Addrs {
			to = to.Unmap()
			if !la.path.source.dialable(to) {
				continue
			}
			o, until := p.outages.rests(to, nil, now)
			switch {
			case o == nil && p.opts.Guard.Check(to) == nil:
				return nil
			case o == nil:
			case first == nil:
				first, at, soonest = o, to, until
			default:
				soonest = min(soonest, until)
			}
		}
	}
	if first == nil {
		return nil
	}
	out := first.outcome(p, at)
	out.RetryAt = p.wall(soonest)
	return &out
}

// tellOut answers what waits at the site in lanes all of whose addresses are out.
func (s *site) tellOut(now time.Duration) {
	for _, pa := range s.paths {
		for _, la := range pa.lanes {
			if o := la.outOfReach(now); o != nil {
				la.failAll(o)
			}
		}
	}
}

// A HostOutage is an address of a mail host that several sources could not connect to.
type HostOutage struct {
	Host  string
	IP    netip.Addr
	Until time.Time // It is tried again then; before, or now, if the next attempt does.
}

// mostOutages is how many addresses that are out are shown.
const mostOutages = 100

// egress lists addresses that are out, of hosts whose name contains match.
func (os outages) egress(p *Pool, match string) []HostOutage {
	var out []HostOutage
	for to, o := range os {
		if o.opens > 0 && strings.Contains(o.host, match) {
			out = append(out, HostOutage{Host: o.host, IP: to, Until: p.wall(o.until)})
		}
	}
	slices.SortFunc(out, func(a, b HostOutage) int { return cmp.Or(strings.Compare(a.Host, b.Host), a.IP.Compare(b.IP)) })
	return out[:min(len(out), mostOutages)]
}
