package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

// How much is asked, and how often the rest happens. It keeps a small machine busy, and far from its limits.
const (
	cachedEvery  = 40 * time.Millisecond  // Questions that memory answers.
	freshEvery   = 120 * time.Millisecond // Questions that a mail server is asked about.
	strangeEvery = time.Second            // Questions on a connection of their own.
	streamEvery  = 10 * time.Second
	reportEvery  = time.Second // Two hundred at once.
	scrapeEvery  = 2 * time.Second
	lookEvery    = 5 * time.Second
	reloadEvery  = 20 * time.Second
	jobEvery     = 3 * time.Second // From the end of a job to the next.

	jobRows   = 4000
	jobFresh  = 60     // Of these.
	looseRows = 20_000 // Of a list that is only looked at, so that the durable store has something to write.
	hotNames  = 1200   // Those that are asked about again and again.
	allNames  = 24_000 // Those that are asked about in turn.
	reports   = 200    // At once.
	waiting   = 64     // Fresh questions at once.
)

// A load is what the clients of a daemon do to it.
type load struct {
	t      *testing.T
	d      *daemon
	next   atomic.Int64 // Of the names that are asked about in turn.
	wg     sync.WaitGroup
	counts tally
}

// A tally is what was done.
type tally struct {
	Cached, Fresh, Strange, Streamed, Rows, Jobs, Reports, Scrapes, Looks, Reloads, Unknown atomic.Int64
}

// name is the nth of all names. Four of five exist.
func name(n int64) string {
	local := "live"
	if n/townDomains%5 == 3 {
		local = "dead"
	}
	return fmt.Sprintf("%s%d@%s", local, n%allNames, townDomain(int(n)))
}

// start begins the load, which ends with ctx; Wait for wg.
func (l *load) start(ctx context.Context) {
	c := l.d.client()
	context.AfterFunc(ctx, c.CloseIdleConnections)
	for range 2 {
		l.every(ctx, 2*cachedEvery, func() { l.ask(ctx, c, &l.counts.Cached, rand.Int64N(hotNames)) })
	}
	places := make(chan struct{}, waiting)
	l.every(ctx, freshEvery, func() {
		select {
		case places <- struct{}{}:
			l.wg.Go(func() {
				l.ask(ctx, c, &l.counts.Fresh, l.next.Add(1))
				<-places
			})
		default: // As many wait as may.
		}
	})
	l.every(ctx, strangeEvery, func() {
		own := l.d.client()
		l.ask(ctx, own, &l.counts.Strange, rand.Int64N(hotNames))
		own.CloseIdleConnections()
	})
	l.every(ctx, streamEvery, func() { l.stream(ctx, c) })
	l.every(ctx, reportEvery, func() { l.report(ctx, c) })
	l.every(ctx, scrapeEvery, func() { l.scrape(ctx) })
	l.every(ctx, lookEvery, func() { l.look(ctx, c) })
	l.every(ctx, reloadEvery, func() {
		l.d.reload()
		l.counts.Reloads.Add(1)
	})
	l.every(ctx, jobEvery, func() {
		l.job(ctx, c, l.list(), client.JobOptions{Name: "list.txt", Patience: time.Minute})
		l.job(ctx, c, loose(), client.JobOptions{Name: "loose.txt", Depth: apitype.DepthSyntax})
	})
}

// every does f again and again until ctx is done, one after the other.
func (l *load) every(ctx context.Context, d time.Duration, f func()) {
	l.wg.Go(func() {
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				f()
			case <-ctx.Done():
				return
			}
		}
	})
}

// failed reports whether err is a fault, and not the end of the load.
func (l *load) failed(ctx context.Context, what string, err error) bool {
	if err == nil {
		return false
	}
	if ctx.Err() == nil {
		l.t.Errorf("%s: %v", what, err)
	}
	return true
}

func (l *load) ask(ctx context.Context, c *client.Client, n *atomic.Int64, who int64) {
	email := name(who)
	a, err := c.Verify(ctx, email, client.VerifyOptions{Deadline: 20 * time.Second})
	if l.failed(ctx, email, err) {
		return
	}
	n.Add(1)
	l.judge(email, a.Verdict, a.Reason)
}

// judge holds an answer to the truth.
func (l *load) judge(email, verdict, reason string) {
	live := strings.HasPrefix(email, "live")
	switch {
	case verdict == apitype.Unknown:
		l.counts.Unknown.Add(1)
	case verdict == apitype.Deliverable && !live, verdict == apitype.Undeliverable && live && reason != "domain_not_found":
		l.t.Errorf("%s: %s/%s, which is not true", email, verdict, reason)
	}
}

// stream asks forty questions on one connection, half of them fresh.
func (l *load) stream(ctx context.Context, c *client.Client) {
	const questions = 40
	asked := func(yield func(client.Question) bool) {
		for i := range int64(questions) {
			who := i
			if i%2 == 0 {
				who = l.next.Add(1)
			}
			if !yield(client.Question{ID: name(who), Email: name(who)}) {
				return
			}
		}
	}
	for r, err := range c.Stream(ctx, iter.Seq[client.Question](asked)) {
		if l.failed(ctx, "stream", err) {
			return
		}
		if r.Err != nil {
			l.failed(ctx, r.ID, r.Err)
			continue
		}
		l.counts.Streamed.Add(1)
		l.judge(r.ID, r.Answer.Verdict, r.Answer.Reason)
	}
}

// list is names of whom some are fresh.
func (l *load) list() []string {
	out := make([]string, jobRows)
	for i := range out {
		who := rand.Int64N(hotNames)
		if i < jobFresh {
			who = l.next.Add(1)
		}
		out[i] = name(who)
	}
	return out
}

// loose is names that nobody is asked about.
func loose() []string {
	out := make([]string, looseRows)
	for i := range out {
		out[i] = fmt.Sprintf("%x@d%d.test", rand.Uint64(), i%townDomains)
	}
	return out
}

// job runs a list to its end, reads its results, and deletes it.
func (l *load) job(ctx context.Context, c *client.Client, list []string, opts client.JobOptions) {
	j, err := c.CreateJob(ctx, strings.NewReader(strings.Join(list, "\n")), opts)
	if l.failed(ctx, "create a job", err) {
		return
	}
	for next, err := range c.WatchJob(ctx, j.ID) {
		if l.failed(ctx, "watch a job", err) {
			return
		}
		j = next
	}
	if j.State != apitype.JobFinished && ctx.Err() == nil {
		l.t.Errorf("job %s is %s at its end: %s", j.ID, j.State, j.Problem)
	}
	if l.failed(ctx, "results", c.JobResults(ctx, j.ID, io.Discard, client.ResultsOptions{Format: "csv"})) {
		return
	}
	rows := 0
	for row, err := range c.JobRows(ctx, j.ID, client.ResultsOptions{}) {
		if l.failed(ctx, "rows", err) {
			return
		}
		if opts.Depth == "" {
			l.judge(list[rows], row.Verdict, row.Reason)
		}
		rows++
	}
	if rows != len(list) && ctx.Err() == nil {
		l.t.Errorf("job %s has %d rows, want %d", j.ID, rows, len(list))
	}
	l.counts.Rows.Add(int64(rows))
	if _, err := c.DeleteJob(ctx, j.ID); l.failed(ctx, "delete a job", err) {
		return
	}
	l.counts.Jobs.Add(1)
}

// report tells what became of messages, which is what the mail servers say too.
func (l *load) report(ctx context.Context, c *client.Client) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for range reports {
		r := apitype.FeedbackReport{Email: name(rand.Int64N(hotNames)), Outcome: apitype.OutcomeDelivered}
		if !strings.HasPrefix(r.Email, "live") {
			r.Outcome, r.Text = apitype.OutcomeBounced, "550 5.1.1 User unknown"
		}
		if err := enc.Encode(&r); err != nil {
			l.t.Error(err)
		}
	}
	reply, err := c.ReportLines(ctx, &b)
	if l.failed(ctx, "report", err) {
		return
	}
	if reply.Reports != reports {
		l.t.Errorf("of %d reports %d were taken: %+v", reports, reply.Reports, reply.Faults)
	}
	l.counts.Reports.Add(reply.Reports)
}

func (l *load) scrape(ctx context.Context) {
	if _, err := l.d.metrics(); !l.failed(ctx, "scrape", err) {
		l.counts.Scrapes.Add(1)
	}
}

// look does what an operator's eyes do.
func (l *load) look(ctx context.Context, c *client.Client) {
	_, err := c.Status(ctx)
	l.failed(ctx, "status", err)
	_, err = c.Egress(ctx, "", 20)
	l.failed(ctx, "egress", err)
	_, err = c.Usage(ctx, client.UsageOptions{})
	l.failed(ctx, "usage", err)
	_, err = c.CacheStats(ctx)
	l.failed(ctx, "cache", err)
	_, err = c.Verify(ctx, name(rand.Int64N(hotNames)), client.VerifyOptions{Explain: true})
	l.failed(ctx, "explain", err)
	l.counts.Looks.Add(1)
}
