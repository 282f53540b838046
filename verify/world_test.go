package verify_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// county is a world of domains at hosts of their own or shared ones: 15 of 100 accept everyone, 5 of 100 greylist.
func county(domains int) mailworld.Spec {
	const shared = 4
	spec := mailworld.Spec{RTT: 10 * time.Millisecond}
	for i := range shared {
		spec.Hosts = append(spec.Hosts, mailworld.Host{Name: fmt.Sprintf("shared%d.test", i)})
	}
	for i := range domains {
		host := fmt.Sprintf("shared%d.test", i%shared)
		if i%2 == 0 {
			host = fmt.Sprintf("mx%d.test", i)
			spec.Hosts = append(spec.Hosts, mailworld.Host{Name: host})
		}
		d := mailworld.Domain{
			Name: fmt.Sprintf("d%d.test", i), MX: mailworld.MXs(host), CatchAll: i%20 < 3,
			Rcpt: func(path string) mailworld.Reply {
				if rest, ok := strings.CutPrefix(path, "live"); ok && rest[0] <= '9' {
					return mailworld.Say(250, "2.1.5 Ok")
				}
				return mailworld.Reply{}
			},
		}
		if i%20 == 10 {
			d.Greylist = 5 * time.Minute
		}
		spec.Domains = append(spec.Domains, d)
	}
	return spec
}

// TestCounty: in a world of which everything is known, every verdict is exact, and few are asked about in vain.
func TestCounty(t *testing.T) {
	for _, test := range []struct {
		name  string
		class verify.Class
		dead  int // Of 100 addresses.
	}{
		{"a clean list", verify.Bulk, 5},
		{"a list", verify.Bulk, 15},
		{"a bad list", verify.Bulk, 40},
		{"people who wait", verify.Interactive, 15},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				const domains, each = 60, 12
				r := newRig(t, options{spec: county(domains), memory: true})
				truth, queue := map[string]verdict.Reason{}, []string{}
				dice := rand.New(rand.NewPCG(3, uint64(test.dead)))
				for i := range domains {
					for j := range each {
						local, reason := "live", verdict.MailboxAccepted
						if dice.IntN(100) < test.dead {
							local, reason = "dead", verdict.MailboxNotFound
						}
						if i%20 < 3 {
							reason = verdict.AcceptedCatchAll
						}
						a := fmt.Sprintf("%s%d@d%d.test", local, j, i)
						truth[a] = reason
						queue = append(queue, a)
					}
				}
				dice.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
				put := r.askMany(queue, test.class, truth)
				asked := r.world.Counts().Commands["RCPT"] - 2*len(put) // What is greylisted is asked about twice; that is no waste.
				time.Sleep(6 * time.Minute)
				if left := r.askMany(put, test.class, truth); len(left) > 0 {
					t.Errorf("%d addresses are greylisted still, such as %s", len(left), left[0])
				}
				if per := float64(asked) / float64(len(queue)-len(put)); per > 1.3 {
					t.Errorf("%.2f recipients for each address, want 1.3 at most", per)
				}
			})
		})
	}
}

// askMany asks about all, some at a time, and wants the truth; it returns those that are greylisted.
func (r *rig) askMany(all []string, class verify.Class, truth map[string]verdict.Reason) (grey []string) {
	r.t.Helper()
	var mu sync.Mutex
	var wg sync.WaitGroup
	next := make(chan string)
	for range 32 {
		wg.Go(func() {
			for a := range next {
				req := anyAge(a)
				req.Class = class
				ans := r.ask(req)
				if ans.Reason == verdict.Greylisted {
					mu.Lock()
					grey = append(grey, a)
					mu.Unlock()
					continue
				}
				r.want(ans, truth[a])
			}
		})
	}
	for _, a := range all {
		next <- a
	}
	close(next)
	wg.Wait()
	return grey
}
