package pool_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
)

// TestOutlook holds what is foretold for a list against what it then takes, under the default limits: it is right to a factor
// of two. Where several limits hold together, as with many dead, it goes by the slowest, and they take longer.
func TestOutlook(t *testing.T) {
	for _, tt := range []outlookRow{
		{"some live ones", 4, 0, "mx.company.test", 1, ""},
		{"live ones", 1000, 0, "mx.company.test", 1, pool.LimitSessions},
		{"one in fifty dead", 1000, 2, "mx.company.test", 1, pool.LimitSessions},
		{"one in five dead", 400, 20, "mx.company.test", 1, pool.LimitRefusals},
		{"too many dead", 200, 40, "mx.company.test", 1, pool.LimitRefusals},
		{"a large provider", 300, 10, "aspmx.l.google.com", 10, pool.LimitRate},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, tt.run)
		})
	}
}

// An outlookRow is a list at one host.
type outlookRow struct {
	name    string
	n       int
	dead    int // Of a hundred.
	host    string
	domains int
	limit   pool.Limit
}

func (row *outlookRow) run(t *testing.T) {
	spec := mailworld.Spec{Hosts: []mailworld.Host{{Name: row.host}}, CountersOnly: true}
	for d := range row.domains {
		spec.Domains = append(spec.Domains, mailworld.Domain{
			Name: fmt.Sprintf("d%d.test", d), MX: mailworld.MXs(row.host), Rcpt: func(path string) mailworld.Reply {
				if strings.HasPrefix(path, "live") {
					return mailworld.Say(250, "2.1.5 Ok")
				}
				return mailworld.Reply{}
			},
		})
	}
	r := newRig(t, spec, func(o *pool.Options) { o.Limits = nil })
	q := pool.Prospect{Hosts: []string{row.host}, Domain: "d0.test", Recipients: row.n, Dead: float64(row.dead) / 100}
	foretold, ok := r.pool.Outlook(q)
	if !ok || foretold.Source != r.opts.Sources[0].Name || foretold.Limit != row.limit {
		t.Errorf("Outlook(%+v) = %+v, %v, want %q", q, foretold, ok, row.limit)
	}
	took := row.ask(r)
	if took > 2*foretold.Takes+time.Minute || took < foretold.Takes/2-time.Minute {
		t.Errorf("foretold %v, took %v", foretold.Takes, took)
	}
}

// ask works the list off, and returns how long that took.
func (row *outlookRow) ask(r *rig) time.Duration {
	start := time.Now()
	var wg sync.WaitGroup
	next := make(chan int)
	for range 40 {
		wg.Go(func() {
			for i := range next {
				local := "live"
				if i*37%100 < row.dead {
					local = "dead"
				}
				d := fmt.Sprintf("d%d.test", i%row.domains)
				o := r.pool.Probe(context.Background(), pool.Request{
					Domain: d, Hosts: r.hosts(row.host), App: "test", Class: pool.Bulk,
					Recipients: []pool.Recipient{{Path: fmt.Sprintf("%s%d@%s", local, i, d)}},
				})[0]
				if o.Failure != pool.FailNone {
					r.t.Errorf("recipient %d: %s, %s", i, o.Failure, o.Detail)
				}
			}
		})
	}
	for i := range row.n {
		next <- i
	}
	close(next)
	wg.Wait()
	return time.Since(start)
}

// TestOutlookKnows what was spent, what was lifted, and who is unknown.
func TestOutlookKnows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRig(t, oneHost(mailworld.Host{}), func(o *pool.Options) {
			o.Limits = nil
			o.Sites = []pool.SiteRule{{Domain: "own.test", Limits: provider.Limits{ProbesPerMinute: new(0.0), SessionsPerHour: new(0), DialInterval: new(time.Duration(0))}}}
		})
		q := pool.Prospect{Hosts: []string{"mx.a.test"}, Domain: "a.test", Recipients: 10, Dead: 1}
		before, _ := r.pool.Outlook(q)
		for i := range 6 {
			r.request(fmt.Sprintf("nobody%d@a.test", i), nil)
		}
		if after, ok := r.pool.Outlook(q); !ok || after.Takes <= before.Takes || after.Takes < 30*time.Minute {
			t.Errorf("with six refusals on record: %+v, without: %+v; want longer", after, before)
		}
		q.Domain, q.Dead = "own.test", 0
		if got, ok := r.pool.Outlook(q); !ok || got.Takes != 0 || got.Limit != "" {
			t.Errorf("where all limits are lifted: %+v, %v, want nothing", got, ok)
		}
		q.Source = "nobody"
		if got, ok := r.pool.Outlook(q); ok {
			t.Errorf("of an unknown source: %+v, want none", got)
		}
	})
}
