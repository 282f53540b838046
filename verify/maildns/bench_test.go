package maildns_test

import (
	"testing"

	"github.com/verimails/verimaild/verify/maildns"
)

// BenchmarkLookup is one domain with two mail hosts, at a server on this host: three messages each way.
func BenchmarkLookup(b *testing.B) {
	z := newZone(b, world)
	r := newResolver(b, maildns.Options{Servers: []string{z.serve(b)}})
	d := domain(b, "plain.example")
	b.ReportAllocs()
	for b.Loop() {
		m, err := r.Lookup(b.Context(), d)
		if err != nil || m.Status != maildns.Found {
			b.Fatalf("Lookup = %s, %v", m.Status, err)
		}
	}
}
