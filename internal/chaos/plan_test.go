package chaos

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
)

// A plan is all that goes wrong in a run: a function of its seed and length.
type plan struct {
	seed    uint64
	length  time.Duration // Of the storm.
	hosts   []hostPlan
	domains []domainPlan
	events  []event       // By time.
	kill    time.Duration // When the daemon is killed.
}

// A climate is what may go wrong in the sessions of a host.
type climate uint8

const (
	calm  climate = iota // Delays and sessions that end too soon.
	tight                // As calm, and its daemon's budgets are small.
	wild                 // Whatever the catalogue has.
	liar                 // One refusal, of everybody, that is about us.
	alike                // Refuses everybody in the words for a mailbox that does not exist.
)

func (c climate) String() string { return [...]string{"calm", "tight", "wild", "liar", "alike"}[c] }

// A hostPlan is one mail host.
type hostPlan struct {
	name    string
	climate climate
	style   mailworld.Style
	tls     bool
	lie     *lie // Of a liar.
}

// A domainPlan is one domain, and who is there.
type domainPlan struct {
	name    string
	hosts   []int // Best first.
	kind    domainKind
	changes time.Duration // When it, or those of its mailboxes that do, change their mind.
}

// A domainKind is what a domain is.
type domainKind uint8

const (
	ordinary   domainKind = iota
	catchAll              // Accepts everybody.
	opens                 // Ordinary, and accepts everybody after its change.
	vanishes              // Ordinary, and does not exist after its change.
	closes                // Ordinary, and takes no mail (null MX) after its change.
	lied                  // Nothing can be known of its mailboxes.
	uniform               // All are refused in the same words.
	nullMX                // Takes no mail.
	noMail                // Exists, without mail hosts.
	missing               // Does not exist.
	unroutable            // Its mail host has a private address.
)

// An event is something that happens to a host at a moment, beside what its sessions bring.
type event struct {
	at   time.Duration
	host int
	do   eventKind
	last time.Duration // How long, for what lasts.
}

type eventKind uint8

const (
	refuses       eventKind = iota // Refuses connections.
	blackHole                      // Swallows connections.
	saysGoodbye                    // 421 to all that wait for something.
	closesAll                      // Ends all sessions.
	resetsAll                      // Resets all sessions.
	eventKinds    = int(iota)
	mailboxesEach = 40 // Of each kind in a domain.
)

// Who is on the list, and how many there are of each climate. Liars are as many as there are lies.
const (
	calmHosts, tightHosts, wildHosts, alikeHosts = 5, 2, 14, 2
)

// newPlan draws a plan.
func newPlan(seed uint64, length time.Duration) *plan {
	p := &plan{seed: seed, length: length}
	r := p.rand("plan", 0)
	p.drawHosts(r)
	p.drawDomains(r)
	p.drawEvents(r)
	p.kill = length/3 + time.Duration(r.Int64N(int64(length/3)))
	return p
}

// rand is a source of chance of its own for each name and number.
func (p *plan) rand(name string, n int) *rand.Rand {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%s %d", name, n) // A hash never fails.
	return rand.New(rand.NewPCG(p.seed, h.Sum64()))
}

func (p *plan) drawHosts(r *rand.Rand) {
	styles := []mailworld.Style{
		mailworld.StylePostfix, mailworld.StyleExim, mailworld.StyleOpenSMTPD, mailworld.StyleSendmail, mailworld.StyleExchange,
	}
	add := func(n int, c climate, lie *lie) {
		for range n {
			p.hosts = append(p.hosts, hostPlan{
				name: fmt.Sprintf("mx%d.%s.test", len(p.hosts), c), climate: c, style: styles[r.IntN(len(styles))], tls: r.IntN(3) == 0, lie: lie,
			})
		}
	}
	add(calmHosts, calm, nil)
	add(tightHosts, tight, nil)
	add(wildHosts, wild, nil)
	add(alikeHosts, alike, nil)
	for _, l := range lies() {
		add(1, liar, &l)
	}
}

func (p *plan) drawDomains(r *rand.Rand) {
	add := func(kind domainKind, hosts ...int) {
		p.domains = append(p.domains, domainPlan{
			name: fmt.Sprintf("d%d.test", len(p.domains)), hosts: hosts, kind: kind,
			changes: p.length/5 + time.Duration(r.Int64N(int64(p.length/2))),
		})
	}
	for i, h := range p.hosts {
		switch h.climate {
		case calm, wild:
			add(ordinary, i)
			add([]domainKind{ordinary, catchAll, opens, vanishes, closes}[(i+r.IntN(2))%5], i)
		case tight:
			add(ordinary, i)
			add(ordinary, i)
		case alike:
			add(uniform, i)
		case liar:
			add(lied, i)
		}
	}
	for range 3 { // A wild host before a calm one, and two wild ones.
		add(ordinary, p.draw(r, wild), p.draw(r, calm))
		add(ordinary, slices.Compact([]int{p.draw(r, wild), p.draw(r, wild)})...)
	}
	for _, kind := range []domainKind{nullMX, noMail, missing, unroutable} {
		add(kind)
	}
}

// draw draws a host of a climate.
func (p *plan) draw(r *rand.Rand, c climate) int {
	for {
		if i := r.IntN(len(p.hosts)); p.hosts[i].climate == c {
			return i
		}
	}
}

func (p *plan) drawEvents(r *rand.Rand) {
	for at := p.length / 20; at < p.length; at += p.length/40 + time.Duration(r.Int64N(int64(p.length/20))) {
		e := event{at: at, do: eventKind(r.IntN(eventKinds)), last: p.length/20 + time.Duration(r.Int64N(int64(p.length/10)))}
		e.host = p.draw(r, []climate{calm, tight, wild, wild, wild}[r.IntN(5)])
		p.events = append(p.events, e)
	}
}

// String is the plan to its last detail, as far as any run comes: what the tests compare, and what a person reads who
// wants to know what a seed means.
func (p *plan) String() string {
	var b strings.Builder
	for i, h := range p.hosts {
		fmt.Fprintf(&b, "host %d: %s, style %q, TLS %v:", i, h.name, h.style, h.tls)
		for n := 1; n <= 200; n++ {
			fmt.Fprintf(&b, " %s", p.fault(i, n))
		}
		b.WriteByte('\n')
	}
	for _, d := range p.domains {
		fmt.Fprintf(&b, "%s: kind %d at %v, changes at %v:", d.name, d.kind, d.hosts, d.changes)
		for n := 1; n <= 200; n++ {
			fmt.Fprintf(&b, " %d", p.dnsFault(d.name, n))
		}
		b.WriteByte('\n')
	}
	for _, e := range p.events {
		fmt.Fprintf(&b, "%v: host %d, event %d for %v\n", e.at, e.host, e.do, e.last)
	}
	fmt.Fprintf(&b, "killed at %v\n", p.kill)
	return b.String()
}

// TestPlan: a plan is a function of its seed, and has some of everything.
func TestPlan(t *testing.T) {
	p := newPlan(1, time.Minute)
	if newPlan(1, time.Minute).String() != p.String() {
		t.Error("two plans of one seed differ")
	}
	if newPlan(2, time.Minute).String() == p.String() {
		t.Error("two seeds have the same plan")
	}
	text := p.String()
	for _, f := range catalogue() {
		if !strings.Contains(text, " "+f.name) {
			t.Errorf("the fault %q does not occur", f.name)
		}
	}
	for kind := range eventKinds {
		if !slices.ContainsFunc(p.events, func(e event) bool { return int(e.do) == kind }) {
			t.Errorf("event %d does not occur", kind)
		}
	}
	if p.kill < p.length/4 || p.kill > p.length*3/4 {
		t.Errorf("the daemon is killed at %v of %v, want in the middle", p.kill, p.length)
	}
}
