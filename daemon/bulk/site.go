package bulk

import (
	"container/heap"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/verimails/verimaild/verify/verdict"
)

// A site is mail hosts that rows wait for.
type site struct {
	key    siteKey
	until  time.Time
	why    Outcome      // Of the row that was told to wait.
	queue  []parkedLane // Who was first is let in first.
	open   int64        // Rows that they have.
	trying int          // Lanes that were let in and have not ended.
	inside int64        // Rows that these still have.
	coming []*lane      // Of these, the ones that were told to wait and have items out yet.
	passed int64        // Rows answered since the site was first told to wait.
	since  time.Time    // When that was.
	at     int          // In the heap; -1 if it is not there.
}

// rows is the site's rows, waiting or let in again.
func (st *site) rows() int64 { return st.open + st.inside }

// waiting is the site's rows that wait: also those of lanes that have been told to, though some items are still out.
func (st *site) waiting() int64 {
	n := st.open
	for _, l := range st.coming {
		n += max(0, l.open-int64(l.asked))
	}
	return n
}

// A siteKey tells sites apart: by mail hosts and the source that is to ask them, or else by domain.
type siteKey struct {
	hash   uint64
	name   string // For people: the provider, or a mail host.
	source string // "" if it is not known.
	hosts  string // The mail hosts, sorted, with blanks between them; "" if there are none.
	domain string // One of those that are there.
}

// siteOf is the site that an answer is about.
func siteOf(a *verdict.Answer) siteKey {
	names := make([]string, len(a.MX))
	for i, mx := range a.MX {
		names[i] = mx.Host
	}
	slices.Sort(names)
	key := siteKey{hosts: strings.Join(names, " "), name: a.Domain, source: sourceOf(a), domain: a.Domain}
	key.hash = xxhash.Sum64String(key.source + "\x00" + key.hosts)
	if len(a.MX) > 0 {
		key.name = a.MX[0].Host
	} else {
		key.hash = xxhash.Sum64String("domain " + a.Domain)
	}
	if a.Provider != "" {
		key.name = a.Provider
	}
	return key
}

// sourceOf is the source that asked, or was to ask, about the address itself; "" if there was none.
func sourceOf(a *verdict.Answer) string {
	for i := len(a.Evidence) - 1; i >= 0; i-- {
		if e := &a.Evidence[i]; !e.Control && e.Source != "" {
			return e.Source
		}
	}
	return ""
}

// letIn is how many lanes of a site try at a time whether it takes rows again. Each answer lets one more in.
const letIn = 4

// siteHeap has the site that can be tried soonest first.
type siteHeap []*site

func (h siteHeap) Len() int           { return len(h) }
func (h siteHeap) Less(i, j int) bool { return h[i].until.Before(h[j].until) }
func (h siteHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push is for container/heap.
func (h *siteHeap) Push(x any) {
	s := x.(*site)
	s.at = len(*h)
	*h = append(*h, s)
}

// Pop is for container/heap.
func (h *siteHeap) Pop() any {
	old := *h
	s := old[len(old)-1]
	s.at = -1
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return s
}

// schedule puts s where its time says.
func (h *siteHeap) schedule(s *site) {
	if s.at < 0 {
		heap.Push(h, s)
		return
	}
	heap.Fix(h, s.at)
}
