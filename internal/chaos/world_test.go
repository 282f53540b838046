package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
)

// A world is a plan in force.
type world struct {
	*mailworld.World
	plan  *plan
	truth *truth

	storm atomic.Bool // Sessions and queries go wrong.

	networks sync.Mutex // Held while a host's network changes.

	mu     sync.Mutex     // Guards what follows.
	faults map[string]int // What went wrong in how many sessions.
	failed []error        // Of the world itself.
}

// newWorld starts the world of a plan, in fair weather.
func newWorld(t *testing.T, p *plan) *world {
	t.Helper()
	w := &world{plan: p, truth: newTruth(p), faults: make(map[string]int)}
	var spec mailworld.Spec
	for i := range p.hosts {
		spec.Hosts = append(spec.Hosts, w.host(i))
	}
	for i := range p.domains {
		spec.Domains = append(spec.Domains, w.domain(&p.domains[i]))
	}
	var err error
	if w.World, err = mailworld.Start(spec); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) host(i int) mailworld.Host {
	p := &w.plan.hosts[i]
	h := mailworld.Host{Name: p.name, Style: p.style, Relay: true, Harvest: mailworld.Harvest{Bits: 24}}
	if p.tls {
		h.TLS.Mode = mailworld.TLSOn
	}
	if p.lie != nil {
		h.Blocks = []mailworld.Block{{At: p.lie.at, Reply: p.lie.reply}}
	}
	h.Vary = func(n int, h *mailworld.Host) {
		if !w.storm.Load() {
			return
		}
		f, r := w.plan.draught(i, n)
		f.do(r, h)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.faults[f.name]++
	}
	return h
}

func (w *world) domain(p *domainPlan) mailworld.Domain {
	d := mailworld.Domain{Name: p.name, TTL: time.Second, Rcpt: w.recipient}
	for _, i := range p.hosts {
		d.MX = append(d.MX, mailworld.MX{Preference: uint16(10 * len(d.MX)), Host: w.plan.hosts[i].name})
	}
	switch p.kind {
	case nullMX:
		d.MX = mailworld.NullMX()
	case missing:
		d.Fault = mailworld.NXDomain
	case unroutable:
		d.Addrs = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	case uniform:
		d.Replies = map[string]mailworld.Reply{"postmaster": unknownUser()}
	}
	d.Vary = func(n int, _, _ string) mailworld.Fault {
		if !w.storm.Load() {
			return mailworld.Answer
		}
		return w.plan.dnsFault(p.name, n)
	}
	return d
}

func unknownUser() mailworld.Reply {
	return mailworld.Say(550, "5.1.1 <{rcpt}>: Recipient address rejected: User unknown")
}

// recipient says of a recipient what is true.
func (w *world) recipient(path string) mailworld.Reply {
	switch w.truth.said(strings.ToLower(path), time.Now()) {
	case living, anyone, turned:
		return mailworld.Say(250, "2.1.5 Ok")
	case full:
		return mailworld.Say(552, "5.2.2 <{rcpt}>: mailbox is over quota")
	case disabled:
		return mailworld.Say(550, "5.2.1 <{rcpt}>: account disabled")
	case undenied:
		return unknownUser()
	default:
		return mailworld.Reply{}
	}
}

// play makes the plan's events and changes happen, until the storm is over.
func (w *world) play(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for i := range w.plan.domains {
		d := &w.plan.domains[i]
		if _, turns := d.kind.turnsInto(); turns {
			wg.Go(func() { w.turn(ctx, d) })
		}
	}
	began := time.Now()
	for _, e := range w.plan.events {
		if !pause(ctx, time.Until(began.Add(e.at))) {
			return
		}
		wg.Go(func() { w.happens(ctx, e) })
	}
}

// turn makes the change of a domain, in its time.
func (w *world) turn(ctx context.Context, p *domainPlan) {
	if !pause(ctx, p.changes) {
		return
	}
	w.truth.change(p.name, func() {
		w.ChangeDomain(p.name, func(d *mailworld.Domain) {
			switch p.kind {
			case opens:
				d.CatchAll = true
			case vanishes:
				d.Fault = mailworld.NXDomain
			case closes:
				d.MX = mailworld.NullMX()
			}
		})
	})
}

// happens makes an event happen, and ends it.
func (w *world) happens(ctx context.Context, e event) {
	name := w.plan.hosts[e.host].name
	switch e.do {
	case refuses, blackHole:
		network := mailworld.RefuseConnect
		if e.do == blackHole {
			network = mailworld.BlackHole
		}
		w.network(name, network)
		pause(ctx, e.last)
		w.network(name, mailworld.Listening)
	case saysGoodbye:
		w.Interrupt(name, mailworld.Say(421, "4.3.2 {host} is going down"))
	case closesAll:
		w.Interrupt(name, mailworld.Reply{Then: mailworld.Close})
	case resetsAll:
		w.Interrupt(name, mailworld.Reply{Then: mailworld.Reset})
	}
}

// network changes how connections to a host fare.
func (w *world) network(name string, n mailworld.Network) {
	w.networks.Lock()
	defer w.networks.Unlock()
	if err := w.Change(name, func(h *mailworld.Host) { h.Network = n }); err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.failed = append(w.failed, err)
	}
}

// calmDown makes the weather fair, and ends the sessions in which nothing would happen any more.
func (w *world) calmDown() {
	w.storm.Store(false)
	for i := range w.plan.hosts {
		w.Interrupt(w.plan.hosts[i].name, mailworld.Reply{Then: mailworld.Reset})
	}
}

// pause waits, and reports whether it was to the end.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// address draws an address that somebody may ask about.
func (p *plan) address(r *rand.Rand) string {
	d := &p.domains[r.IntN(len(p.domains))]
	kinds := []string{"live", "live", "live", "live", "live", "dead", "dead", "dead", "dead", "full", "shut", "dies", "born"}
	return fmt.Sprintf("%s%d@%s", kinds[r.IntN(len(kinds))], r.IntN(mailboxesEach), d.name)
}
