package pool_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// TestProperties throws random work at a pool in random worlds. Whatever the servers do, and whenever callers leave,
// sources go and the pool stops: each recipient has one outcome, and what is said of a mailbox is true; no
// transaction has two domains; nobody is asked about more than twice for one question; and nothing is left behind.
func TestProperties(t *testing.T) {
	slow(t)
	n := 40
	if testing.Short() {
		n = 20
	}
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { newChaos(t, uint64(seed)).run() })
		})
	}
}

// A chaos is one random run.
type chaos struct {
	*rig
	rand  *rand.Rand // Of the goroutine that makes the run.
	hosts [][]pool.Host
	wg    sync.WaitGroup

	mu     sync.Mutex
	wanted map[string]int // Calls that wanted to know of a path.
}

func newChaos(t *testing.T, seed uint64) *chaos {
	c := &chaos{rand: rand.New(rand.NewPCG(seed, 0)), wanted: map[string]int{}}
	spec := mailworld.Spec{RTT: time.Duration(c.rand.IntN(50)) * time.Millisecond}
	names := make([]string, 3)
	for i := range names {
		names[i] = fmt.Sprintf("mx%d.test", i)
		h := c.host()
		h.Name = names[i]
		spec.Hosts = append(spec.Hosts, h)
	}
	orders := [][]string{{names[0]}, {names[1], names[2]}, {names[2], names[1]}, {names[0], names[1], names[2]}}
	for i := range 8 {
		spec.Domains = append(spec.Domains, mailworld.Domain{
			Name: fmt.Sprintf("d%d.test", i), MX: mailworld.MXs(orders[i%len(orders)]...), Rcpt: truth,
		})
	}
	c.rig = newRig(t, spec, c.options)
	for _, o := range orders {
		c.hosts = append(c.hosts, c.rig.hosts(o...))
	}
	return c
}

// truth: every other mailbox exists.
func truth(path string) mailworld.Reply {
	if exists(path) {
		return mailworld.Say(250, "2.1.5 Ok")
	}
	return mailworld.Say(550, "5.1.1 No such user here")
}

func exists(path string) bool { return path[strings.IndexByte(path, '@')-1]%2 == 0 }

// host is a random host, most likely a sane one.
func (c *chaos) host() mailworld.Host {
	var h mailworld.Host
	pick := func(n int) bool { return c.rand.IntN(n) == 0 }
	if pick(8) {
		h.Network = []mailworld.Network{mailworld.RefuseConnect, mailworld.BlackHole, mailworld.Mute, mailworld.CloseOnAccept}[c.rand.IntN(4)]
	}
	if pick(3) {
		h.Pipelining = mailworld.Pipelining(c.rand.IntN(int(mailworld.PipeliningConfused) + 1))
	}
	if pick(3) {
		h.Limits.Recipients.N = 1 + c.rand.IntN(3)
	}
	if pick(3) {
		h.Limits.Transactions.N = 1 + c.rand.IntN(4)
	}
	if pick(3) {
		h.Limits.Advertise = true
	}
	if pick(4) {
		h.Limits.Idle, h.Limits.Silent = time.Duration(1+c.rand.IntN(20))*time.Second, pick(2)
	}
	if pick(4) {
		h.Slow = map[string]time.Duration{"RCPT": time.Duration(c.rand.IntN(8000)) * time.Millisecond}
	}
	if pick(4) {
		h.TLS.Mode = []mailworld.TLSMode{mailworld.TLSOn, mailworld.TLSAbort, mailworld.TLSGarbage, mailworld.TLSTempFail}[c.rand.IntN(4)]
	}
	for range c.rand.IntN(3) {
		h.Glitches = append(h.Glitches, mailworld.Glitch{
			On: []string{"EHLO", "MAIL", "RCPT", "RCPT", "RSET", "BANNER"}[c.rand.IntN(6)], Nth: 1 + c.rand.IntN(6),
			Do:   []mailworld.Deed{mailworld.DoClose, mailworld.DoReset, mailworld.DoSay, mailworld.DoHang}[c.rand.IntN(4)],
			Text: "421 4.3.2 closing\r\n",
		})
	}
	if h.Pipelining == mailworld.PipeliningConfused {
		h.Glitches = nil // Enough for one session.
	}
	if pick(5) { // Nobody can tell from outside if it then ends the session in the same breath.
		h.Limits.Transactions.N = 0
		h.Glitches = []mailworld.Glitch{{On: "RCPT", Nth: 1 + c.rand.IntN(6), Do: mailworld.DoDrop}}
	}
	return h
}

// odd keeps our clocks out of step with those of the servers: who says QUIT in the very moment in which the other says 421
// has done nothing wrong, and would be blamed.
const odd = 333 * time.Microsecond

func (c *chaos) options(o *pool.Options) {
	o.Sources = nil
	for i := range 1 + c.rand.IntN(3) {
		o.Sources = append(o.Sources, c.source(i))
	}
	o.MaxSessions, o.SourceLimits.Sessions = c.rand.IntN(4), c.rand.IntN(3)
	o.Limits = &provider.Limits{
		Sessions: new(c.rand.IntN(4)), RecipientsPerTransaction: new(c.rand.IntN(6)), TransactionsPerSession: new(c.rand.IntN(9)),
		RefusalsPerSession: new(c.rand.IntN(5)), Idle: new(time.Duration(c.rand.IntN(20))*time.Second + odd),
		SessionAge: new(time.Duration(c.rand.IntN(240))*time.Second + odd),
	}
}

func (c *chaos) source(i int) pool.Source {
	addr := fmt.Sprintf("127.77.192.%d", 1+i)
	return pool.Source{Name: fmt.Sprint("s", i), IPv4: mustAddr(addr), EHLO: fmt.Sprintf("source%d.egress.test", i)}
}

func (c *chaos) run() {
	for i := range 40 + c.rand.IntN(80) {
		c.ask(i)
		if c.rand.IntN(4) == 0 {
			time.Sleep(time.Duration(c.rand.IntN(3000)) * time.Millisecond)
		}
		if c.rand.IntN(40) == 0 {
			opts := c.opts
			c.options(&opts)
			if err := c.pool.Reload(opts); err != nil {
				c.t.Error(err)
			}
		}
		if c.rand.IntN(40) == 0 {
			c.world.Unplug(c.world.SourceAddr(c.rand.IntN(3)), c.rand.IntN(2) == 0)
		}
	}
	if c.rand.IntN(4) == 0 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(c.rand.IntN(20))*time.Second)
		defer cancel()
		_ = c.pool.Close(ctx) // It may be cut short.
	}
	c.wg.Wait()
	c.check()
}

// ask starts one call of one to five recipients, some of which others want to know of as well.
func (c *chaos) ask(i int) {
	d := c.rand.IntN(8)
	req := pool.Request{
		Domain: fmt.Sprintf("d%d.test", d), Hosts: c.hosts[d%len(c.hosts)], App: fmt.Sprint("app", c.rand.IntN(3)),
		Weight: c.rand.IntN(4), Class: pool.Class(c.rand.IntN(2)),
	}
	if c.rand.IntN(8) == 0 {
		req.Source = "s0"
	}
	for j := range 1 + c.rand.IntN(5) {
		local := fmt.Sprintf("u%d", c.rand.IntN(40))
		if j > 2 {
			local = fmt.Sprintf("x%d.%d", i, j)
		}
		req.Recipients = append(req.Recipients, pool.Recipient{Path: local + "@" + req.Domain})
	}
	patience := time.Hour
	if c.rand.IntN(4) == 0 {
		patience = time.Duration(c.rand.IntN(10000)) * time.Millisecond
	}
	c.wg.Go(func() {
		ctx, cancel := context.WithTimeout(c.t.Context(), patience)
		defer cancel()
		out := c.pool.Probe(ctx, req)
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(out) != len(req.Recipients) {
			c.t.Errorf("%d outcomes for %d recipients", len(out), len(req.Recipients))
		}
		for j, o := range out {
			c.wanted[req.Recipients[j].Path]++
			c.judge(req.Recipients[j], &o)
		}
	})
}

// judge holds one outcome to the truth.
func (c *chaos) judge(rcpt pool.Recipient, o *pool.Outcome) {
	switch {
	case o.Recipient != rcpt:
		c.t.Errorf("outcome of %s for %s", o.Recipient.Path, rcpt.Path)
	case (o.Failure == pool.FailNone) == (o.Reply.Code == 0):
		c.t.Errorf("%s: failure %q and reply %q: want one of them", rcpt.Path, o.Failure, o.Reply)
	case o.Failure != pool.FailNone || o.Stage != smtp.StageRCPT:
	case o.Meaning.Class == reply.Accepted && !exists(rcpt.Path), o.Meaning.Class == reply.NoSuchMailbox && exists(rcpt.Path):
		c.t.Errorf("%s: class = %s (%s), which is not true", rcpt.Path, o.Meaning.Class, o.Reply)
	}
	for l := range o.Dialogue() {
		if l.Client && strings.HasPrefix(l.Text, "RCPT") && !strings.Contains(l.Text, "<"+rcpt.Path+">") {
			c.t.Errorf("%s: its dialogue has %q", rcpt.Path, l.Text)
		}
	}
}

// check looks at the whole, when all calls have returned.
func (c *chaos) check() {
	asked := map[string]int{}
	for _, path := range c.world.Recipients("") {
		asked[path]++
	}
	for path, n := range asked {
		if n > 2*c.wanted[path] {
			c.t.Errorf("%s was asked about %d times for %d calls", path, n, c.wanted[path])
		}
	}
	if st := c.pool.Stats(); st.Waiting != 0 || st.SessionsOpen < st.SessionsIdle {
		c.t.Errorf("all calls have returned, and the pool has %+v", st)
	}
	for _, s := range c.world.Sessions("") {
		greetings := slices.IndexFunc(s.Commands, func(m mailworld.Command) bool { return m.Verb == "EHLO" })
		if len(s.Commands) > 0 && greetings != 0 {
			c.t.Errorf("session %d began with %s", s.ID, s.Commands[0].Line)
		}
	}
}
