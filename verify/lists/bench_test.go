package lists_test

import (
	"testing"

	"github.com/verimails/verimaild/verify/lists"
)

func BenchmarkLookup(b *testing.B) {
	l := mustNew(b, lists.Options{Disposable: lists.Overlay{Add: []string{file(b, "one.example")}}})
	for _, in := range []string{"ada@example.com", "ada.lovelace@mail.example.co.uk", "Customer.Service-DE+x@gmail.com", "büro@mailinator.com"} {
		a := mustParse(b, in)
		b.Run(in, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l.Lookup(a)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		mustNew(b, lists.Options{})
	}
}
