package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify/verdict"
)

// overtime is how much longer than its deadline an answer may take, on a machine that is busy with other things.
const overtime = 30 * time.Second

// A book is what clients have heard. Safe for concurrent use.
type book struct {
	truth *truth

	mu       sync.Mutex // Guards what follows.
	answers  int
	reasons  map[string]int
	denied   map[string]map[string]bool // Who was said to be dead at domains that refuse everybody alike.
	problems []string
	wronged  map[string]bool // Of whom something was said that is not so.
	slowest  time.Duration   // Beyond a question's deadline.
}

func newBook(tr *truth) *book {
	return &book{truth: tr, reasons: make(map[string]int), denied: make(map[string]map[string]bool), wronged: make(map[string]bool)}
}

// problem notes what must not be.
func (b *book) problem(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, fmt.Sprintf(format, args...))
}

// heard notes an answer, and holds it against the truth.
func (b *book) heard(email, reason string, evidence time.Time, context any) {
	if reason == string(verdict.InternalError) {
		b.problem("%s: %s: %+v", email, reason, context)
	}
	wrong := b.truth.judge(email, reason, evidence)
	if wrong != "" {
		b.problem("wrong answer: %s: %+v", wrong, context)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if wrong != "" {
		b.wronged[email] = true
	}
	b.answers++
	b.reasons[reason]++
	if reason == string(verdict.MailboxNotFound) && b.truth.said(email, time.Now()) == undenied {
		domain := domainOf(email)
		if b.denied[domain] == nil {
			b.denied[domain] = make(map[string]bool)
		}
		b.denied[domain][email] = true
	}
}

// A caller is one client of the daemon.
type caller struct {
	daemon *process
	client *client.Client
	plan   *plan
	book   *book
	rand   *rand.Rand
}

// newCaller makes the n-th client.
func newCaller(d *process, p *plan, b *book, n int) *caller {
	return &caller{
		daemon: d, plan: p, book: b, rand: p.rand("client", n),
		client: &client.Client{Socket: d.client.Socket, MaxRetries: -1},
	}
}

// run asks until ctx is done. What it has begun it ends.
func (c *caller) run(ctx context.Context) {
	defer c.client.CloseIdleConnections()
	for ctx.Err() == nil {
		switch n := c.rand.IntN(20); {
		case n < 15:
			c.verify(ctx)
		case n < 17:
			c.stream(ctx)
		case n < 18:
			c.leave(ctx)
		default:
			c.look(ctx)
		}
		pause(ctx, time.Duration(c.rand.IntN(60))*time.Millisecond)
	}
}

// options draws how a question is asked.
func (c *caller) options() client.VerifyOptions {
	o := client.VerifyOptions{Deadline: 100*time.Millisecond + time.Duration(c.rand.IntN(4000))*time.Millisecond}
	switch c.rand.IntN(10) {
	case 0:
		o.Fresh = true
	case 1:
		o.Wait = true
	case 2:
		o.Explain = true
	case 3:
		o.MaxAge = time.Second
	}
	return o
}

// bounded is for a call that ctx's end is not to cut short: only its own time does.
func bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), d+overtime)
}

// failed judges the error of a call that began then.
func (c *caller) failed(what string, began time.Time, err error) {
	refusal, ok := errors.AsType[*client.Error](err)
	switch {
	case c.daemon.wasDown(began):
		return
	case ok && (refusal.RetryAfter > 0 || refusal.Code == apitype.CodeNotRemembered):
		return
	}
	c.book.problem("%s = %v after %v", what, err, time.Since(began))
}

func (c *caller) verify(ctx context.Context) {
	email, o := c.plan.address(c.rand), c.options()
	call, cancel := bounded(ctx, o.Deadline)
	defer cancel()
	began := time.Now()
	a, err := c.client.Verify(call, email, o)
	if err != nil {
		c.failed("verify "+email, began, err)
		return
	}
	c.late(time.Since(began) - o.Deadline)
	c.book.heard(email, a.Reason, oldest(&a), a)
}

// late notes how long after its deadline an answer came.
func (c *caller) late(by time.Duration) {
	c.book.mu.Lock()
	defer c.book.mu.Unlock()
	c.book.slowest = max(c.book.slowest, by)
}

// stream asks several questions in one call.
func (c *caller) stream(ctx context.Context) {
	n := 1 + c.rand.IntN(20)
	asked := make(map[string]string, n)
	for i := range n {
		asked[fmt.Sprint(i)] = c.plan.address(c.rand)
	}
	call, cancel := bounded(ctx, 4*time.Second)
	defer cancel()
	began := time.Now()
	questions := func(yield func(client.Question) bool) {
		for i := range n {
			id := fmt.Sprint(i)
			if !yield(client.Question{ID: id, Email: asked[id], Options: client.VerifyOptions{Deadline: 4 * time.Second}}) {
				return
			}
		}
	}
	got := 0
	for r, err := range c.client.Stream(call, questions) {
		if err != nil {
			c.failed("stream", began, err)
			return
		}
		got++
		if r.Err != nil {
			c.failed("stream: "+asked[r.ID], began, r.Err)
			continue
		}
		c.book.heard(asked[r.ID], r.Answer.Reason, oldest(&r.Answer), r.Answer)
	}
	if got != n && !c.daemon.wasDown(began) {
		c.book.problem("a stream of %d questions has %d answers", n, got)
	}
}

// leave asks, and hangs up before the answer.
func (c *caller) leave(ctx context.Context) {
	call, cancel := context.WithTimeout(ctx, time.Duration(c.rand.IntN(100))*time.Millisecond)
	defer cancel()
	_, _ = c.client.Verify(call, c.plan.address(c.rand), c.options()) // Nobody hears it.
}

// look does what operators and their programs do.
func (c *caller) look(ctx context.Context) {
	call, cancel := bounded(ctx, 0)
	defer cancel()
	began := time.Now()
	domain := domainOf(c.plan.address(c.rand))
	var err error
	what := c.rand.IntN(9)
	switch what {
	case 0:
		_, err = c.client.Egress(call, "", 20)
	case 1:
		_, err = c.client.Status(call)
	case 2:
		_, err = c.client.Usage(call, client.UsageOptions{})
	case 3:
		_, err = c.client.CacheStats(call)
	case 4:
		_, err = c.client.Domain(call, domain)
	case 5:
		_, err = c.client.ForgetDomain(call, domain)
	case 6:
		_, err = c.client.Ready(call)
	case 7:
		_, err = c.client.Reload(call)
	case 8:
		source := []string{"a", "b", "c", "d"}[c.rand.IntN(4)]
		if _, err = c.client.DrainSource(call, source); err == nil {
			_, err = c.client.ResumeSource(call, source)
		}
	}
	if err != nil {
		c.failed(fmt.Sprintf("look %d", what), began, err)
	}
}

func domainOf(email string) string {
	_, domain, _ := strings.Cut(email, "@")
	return domain
}
