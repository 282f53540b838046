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
	passed int64        // Rows answered since the site was first told to wait.
	since  time.Time    // When that was.
	at     int          // In the heap; -1 if it is not there.
}

// A siteKey tells sites apart: by provider, or else by mail hosts, or else by domain.
type siteKey struct {
	hash uint64
	name string // For people.
}

// siteOf is the site that an answer is about.
func siteOf(a *verdict.Answer) siteKey {
	names := make([]string, len(a.MX))
	for i, mx := range a.MX {
		names[i] = mx.Host
	}
	slices.Sort(names)
	key := siteKey{xxhash.Sum64String(strings.Join(names, " ")), a.Domain}
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
