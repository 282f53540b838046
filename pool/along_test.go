package pool_test

import (
	"testing"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
)

// TestAlong: a companion is asked about if it goes in the same write, or if its target is accepted.
func TestAlong(t *testing.T) {
	for _, test := range []struct {
		name, target string
		pipelining   mailworld.Pipelining
		asked        int
	}{
		{"one write, dead", "nobody@a.test", mailworld.PipeliningOn, 2},
		{"one write, alive", "ada@a.test", mailworld.PipeliningOn, 2},
		{"one by one, dead", "nobody@a.test", mailworld.PipeliningOff, 1},
		{"one by one, alive", "ada@a.test", mailworld.PipeliningOff, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := newRig(t, oneHost(mailworld.Host{Pipelining: test.pipelining}), func(o *pool.Options) {
					o.Limits = lifted()
					o.Limits.Sessions, o.Limits.RecipientsPerTransaction = new(1), new(1)
				})
				out := r.pool.Probe(t.Context(), pool.Request{
					Domain: "a.test", Hosts: r.hosts("mx.a.test"), Along: true,
					Recipients: []pool.Recipient{{Path: test.target}, {Path: "made.up@a.test", Control: true}},
				})
				if test.asked == 2 {
					r.want(out[1], reply.NoSuchMailbox)
				} else {
					r.wantFailure(out[1], pool.FailCanceled)
				}
				r.wantAskedAtMost(1)
				if got := len(r.world.Recipients("mx.a.test")); got != test.asked {
					t.Errorf("%d recipients were asked about, want %d", got, test.asked)
				}
			})
		})
	}
}
