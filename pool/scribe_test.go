package pool

import (
	"testing"

	"github.com/verimails/verimaild/internal/store"
)

// What is written is what has changed, once; and again where it could not be.
func TestScribeWritesWhatChanged(t *testing.T) {
	stores, err := store.Open(store.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stores.Close(); err != nil {
			t.Error(err)
		}
	})
	p := bare()
	if p.scribe, err = newScribe(p, stores.State()); err != nil {
		t.Fatal(err)
	}
	at := func(name string) *site {
		s := p.siteOf(name, "")
		s.path(p.sources[0]).lane(name).open = 1 // It has work, and stays.
		return s
	}
	a, b := at("mx.a.test"), at("mx.b.test")
	on := func(s *site) bool {
		_, found, err := p.scribe.state.sites.Get(recordKey(s.key))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	a.changed()
	a.changed()
	w := p.scribe.writ(nil, true)
	if w.written(false); len(w.sites) != 1 || !a.dirty {
		t.Errorf("%d sites to write, dirty %v after that failed, want one, and true", len(w.sites), a.dirty)
	}
	if p.scribe.save(t.Context(), true); a.dirty || !on(a) || on(b) {
		t.Errorf("dirty %v, on the disk %v, and the other one %v, want it written and the other not", a.dirty, on(a), on(b))
	}
	if w := p.scribe.writ(nil, true); len(w.sites) != 0 || len(p.scribe.dirty) != 0 {
		t.Errorf("%d sites to write, %d noted, want none", len(w.sites), len(p.scribe.dirty))
	}
	a.changed()
	p.scribe.urgent = []waiting{{a, make(chan struct{})}}
	p.scribe.save(t.Context(), false)
	b.changed()
	if w := p.scribe.writ(nil, true); len(w.sites) != 1 || w.sites[0] != b {
		t.Errorf("%d sites to write, want the one that has changed since", len(w.sites))
	}
}
