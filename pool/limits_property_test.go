package pool_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/lab"
	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
)

// TestLimitsHold asks random questions under random limits, in worlds in which sessions break, hosts refuse us for a
// while, and sources come and go. Then it counts as the servers do: no network has had more refusals, sessions or
// questions than the limits allow. Nothing was left reserved, and nobody has waited for ever.
func TestLimitsHold(t *testing.T) {
	slow(t)
	n := 20
	if testing.Short() {
		n = 15
	}
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { newSiege(t, uint64(seed)).run() })
		})
	}
}

// TestRefusalsAreCountedOverKills is TestLimitsHold for refusals, with a process that dies twice in the middle of its work.
func TestRefusalsAreCountedOverKills(t *testing.T) {
	slow(t)
	for seed := range 1 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				c := newSiege(t, uint64(1000+seed))
				c.dir = t.TempDir()
				c.run()
			})
		})
	}
}

// A siege is one random run.
type siege struct {
	*rig
	dir    string // For what is kept; "" if nothing is.
	lives  int
	rand   *rand.Rand
	names  []string // Of the hosts, each of which is a site.
	limits provider.Limits
	shared bool // The hosts belong to one provider, which counts across them.
	wg     sync.WaitGroup
}

// What the provider of the hosts' names allows across its sites, by its row.
const (
	acrossRefusals = 60
	acrossRate     = 30
	acrossSessions = 5
)

func newSiege(t *testing.T, seed uint64) *siege {
	c := &siege{rand: rand.New(rand.NewPCG(seed, 1))}
	c.shared = c.rand.IntN(4) == 0
	spec := mailworld.Spec{RTT: time.Duration(c.rand.IntN(50)) * time.Millisecond}
	for i := range 4 {
		name := fmt.Sprintf("mx%d.test", i)
		if c.shared {
			name = fmt.Sprintf("d%d-test.mail.protection.outlook.com", i)
		}
		c.names = append(c.names, name)
		h := c.host()
		h.Name = name
		spec.Hosts = append(spec.Hosts, h)
		for j := range 3 {
			spec.Domains = append(spec.Domains, mailworld.Domain{
				Name: fmt.Sprintf("d%d.site%d.test", j, i), MX: mailworld.MXs(name), Rcpt: truth,
			})
		}
	}
	c.rig = newRig(t, spec, c.options)
	return c
}

// host is a random host. What goes wrong in its sessions does not make replies disappear that were sent: who never had
// one to a whole transaction asks once more, and is counted twice by the server.
func (c *siege) host() mailworld.Host {
	var h mailworld.Host
	pick := func(n int) bool { return c.rand.IntN(n) == 0 }
	if pick(4) {
		h.Pipelining = []mailworld.Pipelining{mailworld.PipeliningOff, mailworld.PipeliningSwallows}[c.rand.IntN(2)]
	}
	if pick(4) {
		h.TLS.Mode = []mailworld.TLSMode{mailworld.TLSOn, mailworld.TLSAbort, mailworld.TLSGarbage}[c.rand.IntN(3)]
	}
	if pick(4) {
		h.Limits.Recipients.N = 1 + c.rand.IntN(3)
	}
	if pick(4) {
		h.Limits.HardErrors.N = 2 + c.rand.IntN(3)
	}
	if pick(4) {
		h.Limits.Transactions.N = 1 + c.rand.IntN(5)
	}
	if pick(4) {
		h.Limits.Idle, h.Limits.Silent = time.Duration(1+c.rand.IntN(20))*time.Second, pick(2)
	}
	if pick(4) {
		h.Slow = map[string]time.Duration{"RCPT": time.Duration(c.rand.IntN(8000)) * time.Millisecond}
	}
	if pick(3) {
		h.Glitches = []mailworld.Glitch{{
			On: []string{"EHLO", "MAIL", "RCPT", "RSET"}[c.rand.IntN(4)], Nth: 1 + c.rand.IntN(6),
			Do:   []mailworld.Deed{mailworld.DoClose, mailworld.DoSay}[c.rand.IntN(2)],
			Text: "421 4.3.2 closing\r\n",
		}}
	}
	return h
}

// options draws limits. A fifth of them are lifted.
func (c *siege) options(o *pool.Options) {
	draw := func(least, most int) *int {
		if c.rand.IntN(5) == 0 {
			return new(0)
		}
		return new(least + c.rand.IntN(most-least+1))
	}
	c.limits = provider.Limits{
		Sessions: draw(1, 3), SessionsPerHour: draw(6, 25), DialInterval: new(time.Duration(c.rand.IntN(6)) * time.Second),
		RecipientsPerTransaction: new(1 + c.rand.IntN(5)), TransactionsPerSession: draw(1, 8), RefusalsPerSession: draw(1, 4),
		RefusalsPerHour: draw(3, 22), ControlsPerHour: draw(2, 11), RefusalRatio: new(float64(c.rand.IntN(2)) / 4),
		ProbesPerMinute: new(float64(*draw(2, 12))), Idle: new(time.Duration(1+c.rand.IntN(30))*time.Second + odd),
		SessionAge: new(time.Duration(30+c.rand.IntN(240))*time.Second + odd), Ramp: new(c.rand.IntN(2) == 0),
	}
	if c.shared { // Each site may have more than its part of what all may have.
		c.limits.Sessions, c.limits.RefusalsPerHour, c.limits.ControlsPerHour = new(3), new(30), new(10)
		c.limits.ProbesPerMinute, c.limits.SessionsPerHour = new(20.0), new(60)
	}
	o.Limits, o.Sites = &c.limits, []pool.SiteRule{{Provider: "microsoft_365", Limits: c.limits}}
	o.MaxSessions, o.SourceLimits.Sessions = c.rand.IntN(5), c.rand.IntN(3)
	o.Sources = nil
	for i := range 1 + c.rand.IntN(3) {
		o.Sources = append(o.Sources, c.source(i))
	}
}

// source is one of four sources, two of which share a network.
func (c *siege) source(i int) pool.Source {
	addr := netip.AddrFrom4([4]byte{127, 77, byte(192 + i/2), byte(1 + i)})
	return pool.Source{Name: fmt.Sprint("s", i), IPv4: addr, EHLO: fmt.Sprintf("source%d.egress.test", i)}
}

// die ends the process as a kill would, and begins another with what the disk had at that moment.
func (c *siege) die() {
	from, to := fmt.Sprint(c.dir, "/", c.lives), fmt.Sprint(c.dir, "/", c.lives+1)
	c.lives++
	if c.lives > 1 {
		lab.CopyDir(c.t, to, from)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = c.pool.Close(ctx) // Cut short.
	c.opts.State = openState(c.t, to)
	p, err := pool.New(c.opts)
	if err != nil {
		c.t.Fatal(err)
	}
	c.rig.pool = p
	p.Start(context.Background())
	c.t.Cleanup(func() { // Before its store is closed.
		if err := p.Close(context.Background()); err != nil {
			c.t.Errorf("Close() = %v", err)
		}
	})
}

func (c *siege) run() {
	n := 110
	if c.dir != "" { // Each question waits for a real disk.
		n = 45
	}
	for i := range n {
		if c.dir != "" && i%15 == 0 {
			c.die()
		}
		c.ask(i)
		if c.rand.IntN(3) == 0 {
			time.Sleep(time.Duration(c.rand.IntN(60)) * time.Second)
		}
		switch c.rand.IntN(30) {
		case 0:
			c.world.Unplug(c.source(c.rand.IntN(3)).IPv4, c.rand.IntN(2) == 0)
		case 1:
			c.refuse(c.names[c.rand.IntN(len(c.names))], c.rand.IntN(2) == 0)
		case 2:
			c.world.CutNetwork(true)
			time.Sleep(time.Duration(c.rand.IntN(90)) * time.Second)
			c.world.CutNetwork(false)
		case 3:
			c.reload()
		case 4:
			name := c.opts.Sources[0].Name
			if err := []func(string) error{c.pool.Drain, c.pool.Resume}[c.rand.IntN(2)](name); err != nil {
				c.t.Error(err)
			}
		}
	}
	for i := range 4 { // What is out for good has nobody to wait for.
		c.world.Unplug(c.source(i).IPv4, false)
	}
	c.wg.Wait()
	c.check()
}

// refuse has a host refuse our sender from now on, or no longer.
func (c *siege) refuse(host string, on bool) {
	say := map[string]mailworld.Reply{}
	if on {
		say["MAIL"] = mailworld.Say(554, "5.7.1 Service unavailable; blocked")
	}
	if err := c.world.Change(host, func(h *mailworld.Host) { h.Replies = say }); err != nil {
		c.t.Error(err)
	}
}

// reload takes a source away, or gives one back.
func (c *siege) reload() {
	if n := len(c.opts.Sources); n > 1 && c.rand.IntN(2) == 0 {
		c.opts.Sources = slices.Clone(c.opts.Sources[:n-1])
	} else if n < 4 {
		c.opts.Sources = append(slices.Clone(c.opts.Sources), c.source(n))
	}
	if err := c.pool.Reload(c.opts); err != nil {
		c.t.Error(err)
	}
}

// ask starts one call. Who has no deadline waits for three days, which must be enough.
func (c *siege) ask(i int) {
	site := c.rand.IntN(len(c.names))
	domain := fmt.Sprintf("d%d.site%d.test", c.rand.IntN(3), site)
	req := pool.Request{
		Domain: domain, Hosts: c.rig.hosts(c.names[site]), App: fmt.Sprint("app", c.rand.IntN(3)), Class: pool.Class(c.rand.IntN(2)),
	}
	for j := range 1 + c.rand.IntN(4) {
		kind := "u"
		if c.rand.IntN(4) == 0 {
			kind = "made"
		}
		// Whether it exists is decided by its last digit; nobody made up does.
		n := c.rand.IntN(10)
		if kind == "made" {
			n |= 1
		}
		req.Recipients = append(req.Recipients, pool.Recipient{
			Path: fmt.Sprintf("%s%d.%d%d@%s", kind, i, j, n, domain), Control: kind == "made",
		})
	}
	patience := 72 * time.Hour
	if c.dir != "" { // The store's own goroutines make time dear.
		patience = 5 * time.Minute
	}
	if c.rand.IntN(3) == 0 {
		patience = time.Duration(c.rand.IntN(120)) * time.Second
		req.Deadline = time.Now().Add(patience)
	}
	c.wg.Go(func() {
		ctx, cancel := context.WithTimeout(c.t.Context(), patience)
		defer cancel()
		began := time.Now()
		for _, o := range c.pool.Probe(ctx, req) {
			c.judge(&req, &o, began)
		}
	})
}

// judge holds one outcome to the truth, and to what the caller could expect.
func (c *siege) judge(req *pool.Request, o *pool.Outcome, began time.Time) {
	path := o.Recipient.Path
	switch {
	case o.Meaning.Class == reply.Accepted && !exists(path), o.Meaning.Class == reply.NoSuchMailbox && exists(path):
		c.t.Errorf("%s: class = %s (%s), which is not true", path, o.Meaning.Class, o.Reply)
	case o.Failure == pool.FailCanceled && req.Deadline.IsZero() && c.dir == "":
		c.t.Errorf("%s waited for ever", path)
	case o.Failure == pool.FailBudget && !o.Recipient.Control && req.Deadline.IsZero():
		c.t.Errorf("%s: turned away (%s) without a deadline", path, o.Detail)
	case o.Failure == pool.FailBudget && (o.RetryAt.Before(began) || o.RetryAt.Sub(began) > 24*time.Hour):
		c.t.Errorf("%s: RetryAt is %v ahead (%s)", path, o.RetryAt.Sub(began), o.Detail)
	}
}

// check counts as the servers do.
func (c *siege) check() {
	e := c.pool.Egress("", 100)
	for _, s := range e.Sites {
		c.noneHeld(s.Hosts[0], s.Accounts)
	}
	for _, v := range e.Providers {
		c.noneHeld(v.ID, v.Accounts)
	}
	time.Sleep(10 * time.Minute)
	if st := c.pool.Stats(); st.Waiting != 0 || st.SessionsOpen != 0 || st.Sites != 0 {
		c.t.Errorf("ten minutes after the last answer: %+v, want nothing left", st)
	}
	all := map[netip.Prefix]*tally{}
	var sessions []span
	for _, name := range c.names {
		here, paths := map[netip.Prefix]*tally{}, map[netip.Addr][]span{}
		for _, s := range c.world.Sessions(name) {
			paths[s.Source.Addr()] = append(paths[s.Source.Addr()], span{s.At, s.Ended})
			sessions = append(sessions, span{s.At, s.Ended})
			c.session(&s)
		}
		for _, cmd := range c.world.Commands(name) {
			count(here, &cmd)
			count(all, &cmd)
		}
		for prefix, n := range here {
			c.refusals(fmt.Sprint(name, " from ", prefix), n, *c.limits.RefusalsPerHour, *c.limits.ControlsPerHour, *c.limits.Ramp)
		}
		if c.dir != "" { // Sessions are written down a moment later.
			continue
		}
		for addr, s := range paths {
			where := fmt.Sprint(name, " from ", addr)
			c.within(where+": sessions within an hour", begins(s), time.Hour, *c.limits.SessionsPerHour)
			c.within(where+": sessions at once", overlaps(s), 0, *c.limits.Sessions)
		}
	}
	if c.shared {
		for prefix, n := range all {
			c.refusals(fmt.Sprint("all from ", prefix), n, acrossRefusals, acrossRefusals, false)
		}
		c.within("the provider: sessions at once", overlaps(sessions), 0, acrossSessions)
	}
}

func (c *siege) noneHeld(where string, as []pool.AccountEgress) {
	for _, a := range as {
		if a.Dead.Held != 0 || a.Controls.Held != 0 {
			c.t.Errorf("%s: %v holds %d and %d, and nothing is under way", where, a.Prefix, a.Dead.Held, a.Controls.Held)
		}
	}
}

// session holds one session to what a session may do.
func (c *siege) session(s *mailworld.Session) {
	refused, recipients := 0, 0
	for i := range s.Commands {
		switch cmd := &s.Commands[i]; cmd.Verb {
		case "MAIL":
			recipients = 0
		case "RCPT":
			if recipients++; recipients > *c.limits.RecipientsPerTransaction {
				c.t.Errorf("session %d: %d recipients in a transaction", s.ID, recipients)
			}
			if cmd.Code == 550 {
				refused++
			}
		}
	}
	if most := *c.limits.RefusalsPerSession; most > 0 && refused > most {
		c.t.Errorf("session %d: %d refusals, want at most %d", s.ID, refused, most)
	}
	if most := *c.limits.TransactionsPerSession; most > 0 && s.Transactions > most+1 { // One tests a breaker.
		c.t.Errorf("session %d: %d transactions, want at most %d", s.ID, s.Transactions, most)
	}
}

// A tally is when a network was told of dead recipients, and when of made-up ones.
type tally struct{ dead, made []time.Time }

func count(in map[netip.Prefix]*tally, cmd *mailworld.Command) {
	if cmd.Verb != "RCPT" || cmd.Code != 550 {
		return
	}
	prefix, _ := cmd.Source.Addr().Prefix(24)
	if in[prefix] == nil {
		in[prefix] = &tally{}
	}
	if strings.Contains(cmd.Line, "<made") {
		in[prefix].made = append(in[prefix].made, cmd.At)
	} else {
		in[prefix].dead = append(in[prefix].dead, cmd.At)
	}
}

func (c *siege) refusals(where string, n *tally, dead, made int, ramp bool) {
	c.within(where+": dead recipients within an hour", n.dead, time.Hour, dead)
	c.within(where+": refused controls within an hour", n.made, time.Hour, made)
	if dead == 0 || made == 0 {
		return
	}
	first := made
	if ramp {
		first = min(10, made)
	}
	c.within(where+": refusals of both kinds within an hour", slices.Concat(n.dead, n.made), time.Hour, dead+first)
}

// within holds the number of instants in any span of time; most 0 is any number.
func (c *siege) within(what string, at []time.Time, d time.Duration, most int) {
	if most == 0 {
		return
	}
	slices.SortFunc(at, time.Time.Compare)
	for i := most; i < len(at); i++ {
		if at[i].Sub(at[i-most]) <= d {
			c.t.Errorf("%s: more than %d at %v", what, most, at[i])
			return
		}
	}
}

// A span is from when to when a session was open.
type span struct{ from, to time.Time }

func begins(ss []span) []time.Time {
	out := make([]time.Time, len(ss))
	for i, s := range ss {
		out[i] = s.from
	}
	return out
}

// overlaps lists one instant as often as sessions are open, for the busiest instant.
func overlaps(ss []span) []time.Time {
	var most []time.Time
	for _, s := range ss {
		var now []time.Time
		for _, o := range ss {
			if !o.from.After(s.from) && (o.to.IsZero() || o.to.After(s.from)) {
				now = append(now, s.from)
			}
		}
		if len(now) > len(most) {
			most = now
		}
	}
	return most
}
