package pool_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// A crowd is what one application asks, all at once.
type crowd struct {
	app     string
	n       int
	domains int // Over how many domains.
	weight  int
	class   pool.Class
}

// order asks for all crowds on one session, and returns the applications in the order in which they were served.
func order(t *testing.T, batch int, crowds ...crowd) string {
	spec := mailworld.Spec{Hosts: []mailworld.Host{{Name: "mx.a.test"}}}
	for _, c := range crowds {
		for d := range c.domains {
			spec.Domains = append(spec.Domains, mailworld.Domain{
				Name: fmt.Sprintf("%s%d.test", c.app, d), MX: mailworld.MXs("mx.a.test"), CatchAll: true,
			})
		}
	}
	r := newRigUnstarted(t, spec, func(o *pool.Options) {
		o.Limits = lifted()
		o.Limits.Sessions, o.Limits.RecipientsPerTransaction = new(1), new(batch)
	})
	var wg sync.WaitGroup
	for _, c := range crowds {
		for i := range c.n {
			domain := fmt.Sprintf("%s%d.test", c.app, i%c.domains)
			wg.Go(func() {
				o := r.pool.Probe(t.Context(), pool.Request{
					Domain: domain, Hosts: r.hosts("mx.a.test"), App: c.app, Weight: c.weight, Class: c.class,
					Recipients: []pool.Recipient{{Path: fmt.Sprintf("u%d@%s", i, domain)}},
				})
				r.want(o[0], reply.Accepted)
			})
		}
	}
	synctest.Wait() // All are queued.
	r.pool.Start(t.Context())
	wg.Wait()
	var served strings.Builder
	for _, path := range r.world.Recipients("mx.a.test") {
		_, domain, _ := strings.Cut(path, "@")
		served.WriteString(domain[:1])
	}
	return served.String()
}

func TestScenario48SmallApplicationIsNotDrowned(t *testing.T) {
	for _, batch := range []int{1, 5} {
		bubble(t, func(t *testing.T) {
			got := order(t, batch, crowd{app: "a", n: 300, domains: 3}, crowd{app: "b", n: 10, domains: 10})
			if last := strings.LastIndexByte(got, 'b'); last >= 20+2*batch {
				t.Errorf("batch %d: b's last of 10 was served as number %d, want about 20: %s", batch, last+1, got[:last+1])
			}
		})
	}
}

func TestWeights(t *testing.T) {
	bubble(t, func(t *testing.T) {
		got := order(t, 2, crowd{app: "a", n: 120, domains: 4, weight: 3}, crowd{app: "b", n: 120, domains: 4, weight: 1})
		if a := strings.Count(got[:100], "a"); a < 70 || a > 80 {
			t.Errorf("of the first 100, %d were a's, want 75: %s", a, got[:100])
		}
	})
}

func TestBulkWaitsForInteractiveButNotForEver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		got := order(t, 1,
			crowd{app: "b", n: 50, domains: 2, class: pool.Bulk}, crowd{app: "i", n: 100, domains: 2, class: pool.Interactive})
		if b := strings.Count(got[:50], "b"); b < 8 || b > 12 {
			t.Errorf("of the first 50, %d were bulk, want one in five: %s", b, got[:50])
		}
	})
}

func TestDomainsTakeTurns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRigUnstarted(t, mailworld.Spec{
			Hosts: []mailworld.Host{{Name: "mx.a.test"}},
			Find: func(name string) (mailworld.Domain, bool) {
				return mailworld.Domain{Name: name, MX: mailworld.MXs("mx.a.test"), CatchAll: true}, true
			},
		}, func(o *pool.Options) {
			o.Limits = lifted()
			o.Limits.Sessions, o.Limits.RecipientsPerTransaction = new(1), new(5)
		})
		var wg sync.WaitGroup
		ask := func(domain string, n int) {
			for i := range n {
				wg.Go(func() { r.want(r.ask(r.hosts("mx.a.test"), fmt.Sprintf("u%d@%s", i, domain))[0], reply.Accepted) })
			}
		}
		ask("big.test", 100)
		synctest.Wait()
		ask("small.test", 1)
		synctest.Wait()
		r.pool.Start(t.Context())
		wg.Wait()
		for i, path := range r.world.Recipients("mx.a.test") {
			if strings.HasSuffix(path, "@small.test") && i > 5 {
				t.Errorf("the small domain was served as number %d, want it right behind the big one's first turn", i+1)
			}
		}
	})
}

// A question that somebody waits for does not wait in the line of a list that holds it too.
func TestInteractiveJoinsABulkProbe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := newRigUnstarted(t, oneHost(mailworld.Host{}), func(o *pool.Options) {
			o.Limits = lifted()
			o.Limits.Sessions, o.Limits.RecipientsPerTransaction = new(1), new(1)
		})
		var wg sync.WaitGroup
		probe := func(path string, class pool.Class) {
			wg.Go(func() {
				r.pool.Probe(t.Context(), pool.Request{
					Domain: "a.test", Hosts: r.hosts("mx.a.test"), Class: class, Recipients: []pool.Recipient{{Path: path}},
				})
			})
			synctest.Wait()
		}
		for i := range 30 {
			probe(fmt.Sprintf("u%d@a.test", i), pool.Bulk)
		}
		probe("u29@a.test", pool.Interactive)
		r.pool.Start(t.Context())
		wg.Wait()
		if got := r.world.Recipients("mx.a.test"); got[0] != "u29@a.test" || len(got) != 30 {
			t.Errorf("%d recipients, %s first, want 30 and u29 first", len(got), got[0])
		}
	})
}
