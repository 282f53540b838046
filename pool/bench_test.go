package pool_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
)

// BenchmarkProbe is the pool at full speed: no round-trip time, limits lifted, 256 callers, several sites.
// The servers, in the same process, are in the numbers.
func BenchmarkProbe(b *testing.B) {
	for _, sites := range []int{1, 8} {
		b.Run(fmt.Sprintf("sites=%d", sites), func(b *testing.B) { benchmarkProbe(b, sites) })
	}
}

func benchmarkProbe(b *testing.B, sites int) {
	spec := mailworld.Spec{CountersOnly: true}
	for i := range sites {
		name := fmt.Sprintf("mx%d.test", i)
		spec.Hosts = append(spec.Hosts, mailworld.Host{Name: name})
		spec.Domains = append(spec.Domains, mailworld.Domain{Name: fmt.Sprintf("d%d.test", i), MX: mailworld.MXs(name), CatchAll: true})
	}
	w, err := mailworld.StartMemory(spec)
	if err != nil {
		b.Fatal(err)
	}
	p, err := pool.New(pool.Options{
		Sender:  "probe@source0.egress.test",
		Sources: []pool.Source{{Name: "a", IPv4: w.SourceAddr(0), EHLO: "source0.egress.test"}},
		Port:    uint16(w.Port()), Guard: everything(), Replies: reply.Builtin(),
		Limits: &provider.Limits{
			RecipientsPerTransaction: new(0), TransactionsPerSession: new(0), RefusalsPerSession: new(0), Sessions: new(4),
			SessionAge: ptr(time.Duration(0)),
		},
		Dial: func(ctx context.Context, laddr netip.Addr, raddr netip.AddrPort) (net.Conn, error) {
			return w.Dial(ctx, netip.AddrPortFrom(laddr, 0), raddr)
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	p.Start(b.Context())
	hosts := make([][]pool.Host, sites)
	for i := range hosts {
		name := fmt.Sprintf("mx%d.test", i)
		hosts[i] = []pool.Host{{Name: name, Preference: 10, Addrs: []netip.Addr{w.HostAddr(name).Addr()}}}
	}
	var n atomic.Int64
	b.SetParallelism(128)
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			site := int(i) % sites
			out := p.Probe(b.Context(), pool.Request{
				Domain: fmt.Sprintf("d%d.test", site), Hosts: hosts[site], App: "bench",
				Recipients: []pool.Recipient{{Path: fmt.Sprintf("u%d@d%d.test", i, site)}},
			})
			if out[0].Failure != pool.FailNone {
				b.Errorf("%s: %s", out[0].Failure, out[0].Detail)
			}
		}
	})
	b.StopTimer()
	st := p.Stats()
	b.ReportMetric(float64(st.Recipients)/float64(st.Flights), "recipients/flight")
	if err := p.Close(context.Background()); err != nil {
		b.Error(err)
	}
	if err := w.Close(); err != nil {
		b.Error(err)
	}
}
