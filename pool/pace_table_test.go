package pool_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
)

var update = flag.Bool("update", false, "write the table of what the default limits give into docs/operations.md")

// A paceRow is a typical list, and where it is to be asked.
type paceRow struct {
	list    string
	domains int
	hosts   func(domain int) string
	perDom  int
	dead    int // Of a hundred.
	sources int
}

var paceRows = []paceRow{
	{"one live address at each of 3,000 domains, all at one shared host", 3000, func(int) string { return "mx.shared.test" }, 1, 0, 1},
	{"the same, 40 % dead", 3000, func(int) string { return "mx.shared.test" }, 1, 40, 1},
	{"one address at each of 3,000 domains at one large provider, 10 % dead", 3000, func(int) string { return "aspmx.l.google.com" }, 1, 10, 1},
	{"one company of 5,000 mailboxes, 2 % dead", 1, func(int) string { return "mx.company.test" }, 5000, 2, 1},
	{"one company of 5,000 mailboxes, 40 % dead", 1, func(int) string { return "mx.company.test" }, 5000, 40, 1},
	{"one company of 5,000 mailboxes, 40 % dead, three sources in one /24", 1, func(int) string { return "mx.company.test" }, 5000, 40, 3},
	{"one address at each of 2,000 domains with hosts of their own, 10 % dead", 2000, func(d int) string { return fmt.Sprintf("mx%d.own.test", d) }, 1, 10, 1},
}

// A pace is what came of a list.
type paceFound struct {
	answered, settled [2]int64 // In the first hour, and in an hour of those after it: asked about, and with the control's word too.
}

// measure works off a list for some hours under the default limits.
func (row *paceRow) measure(t *testing.T) (found paceFound) {
	const hours = 5
	synctest.Test(t, func(t *testing.T) {
		var spec mailworld.Spec
		seen := map[string]bool{}
		for d := range row.domains {
			if h := row.hosts(d); !seen[h] {
				seen[h] = true
				spec.Hosts = append(spec.Hosts, mailworld.Host{Name: h})
			}
			spec.Domains = append(spec.Domains, mailworld.Domain{
				Name: fmt.Sprintf("d%d.test", d), MX: mailworld.MXs(row.hosts(d)), Rcpt: func(path string) mailworld.Reply {
					if strings.HasPrefix(path, "live") {
						return mailworld.Say(250, "2.1.5 Ok")
					}
					return mailworld.Reply{}
				},
			})
		}
		spec.CountersOnly = true
		r := newRig(t, spec, func(o *pool.Options) {
			o.MaxSessions, o.DialsPerSecond = 2000, 20
			o.SourceLimits = pool.SourceLimits{Sessions: 50, DialsPerMinute: 60}
		})
		r.opts.Sources = threeSources(r.world)[:row.sources]
		if err := r.pool.Reload(r.opts); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), hours*time.Hour)
		defer cancel()
		start := time.Now()
		var answered, settled [hours + 1]atomic.Int64
		known := make([]atomic.Bool, row.domains)
		next := make(chan int)
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() {
				for i := range next {
					d := i % row.domains
					local := "live"
					if i*37%100 < row.dead {
						local = "dead"
					}
					out := r.pool.Probe(ctx, row.request(r, d, fmt.Sprintf("%s%d@d%d.test", local, i, d), false))[0]
					if out.Failure != pool.FailNone {
						continue
					}
					hour := int(time.Since(start) / time.Hour)
					answered[hour].Add(1)
					if local == "dead" {
						known[d].Store(true) // It does not accept everyone.
					} else if !known[d].Load() {
						c := r.pool.Probe(ctx, row.request(r, d, fmt.Sprintf("madeup@d%d.test", d), true))[0]
						known[d].Store(c.Failure == pool.FailNone)
					}
					if known[d].Load() {
						settled[int(time.Since(start)/time.Hour)].Add(1)
					}
				}
			})
		}
		for i := range row.domains * row.perDom {
			select {
			case next <- i:
				continue
			case <-ctx.Done():
			}
			break
		}
		close(next)
		wg.Wait()
		found.answered[0], found.settled[0] = answered[0].Load(), settled[0].Load()
		for h := 1; h < hours; h++ {
			found.answered[1] += answered[h].Load()
			found.settled[1] += settled[h].Load()
		}
		found.answered[1] /= hours - 1
		found.settled[1] /= hours - 1
	})
	return found
}

func (row *paceRow) request(r *rig, d int, path string, control bool) pool.Request {
	return pool.Request{
		Domain: fmt.Sprintf("d%d.test", d), Hosts: r.hosts(row.hosts(d)), Class: pool.Bulk,
		Recipients: []pool.Recipient{{Path: path, Control: control}},
	}
}

const (
	paceBegin = "<!-- pace: computed by TestHonestPace -->\n"
	paceEnd   = "<!-- end of pace -->\n"
)

// The table in docs/operations.md says what the default limits give.
func TestHonestPace(t *testing.T) {
	slow(t)
	const file = "../docs/operations.md"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), paceBegin)
	table, after, ok2 := strings.Cut(rest, paceEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no table of the pace", file)
	}
	lines := strings.Split(strings.TrimSpace(table), "\n")
	out := []string{
		"| list | addresses answered in the first hour | of those, settled | answered in an hour after that | of those, settled |",
		"| --- | --- | --- | --- | --- |",
	}
	for i, row := range paceRows {
		p := row.measure(t)
		out = append(out, fmt.Sprintf("| %s | %d | %d | %d | %d |", row.list, p.answered[0], p.settled[0], p.answered[1], p.settled[1]))
		if p.answered[0] == 0 || p.answered[1] == 0 && p.answered[0] < int64(row.domains*row.perDom) {
			t.Errorf("%s: it starves: %+v", row.list, p)
		}
		if *update {
			continue
		}
		if len(lines) < i+3 {
			t.Fatalf("%s lacks the row of %q; run with -update", file, row.list)
		}
		row.hold(t, lines[i+2], p)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+paceBegin+strings.Join(out, "\n")+"\n"+paceEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// hold compares a line of the table with what was measured, but for the chance of who comes first.
func (row *paceRow) hold(t *testing.T, line string, p paceFound) {
	t.Helper()
	name, numbers, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
	var said [4]int64
	if _, err := fmt.Sscanf(numbers, "%d | %d | %d | %d |", &said[0], &said[1], &said[2], &said[3]); err != nil || name != row.list {
		t.Fatalf("the table says %q, want the row of %q; run with -update", line, row.list)
	}
	for i, got := range []int64{p.answered[0], p.settled[0], p.answered[1], p.settled[1]} {
		if diff := math.Abs(float64(got - said[i])); diff > 15 && diff > 0.25*float64(said[i]) {
			t.Errorf("%s: number %d is %d, the table says %d; run with -update", row.list, i+1, got, said[i])
		}
	}
}
