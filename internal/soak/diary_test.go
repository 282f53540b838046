package soak

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/verimails/verimaild/pool"
)

// A page is what there is at the end of a day.
type page struct {
	day        int
	heap       uint64
	goroutines int
	asked      int
	sessions   int
	recipients int
	level      int // What b may ask; 0 if its warm-up is over.
	b          pool.SourceStats
	sites      int
	entries    int
	census     census // Of the third day and of the last.
}

// page looks at everything at the end of a day.
func (l *life) page(n int) page {
	l.collect()
	p := page{day: n, goroutines: runtime.NumGoroutine(), sessions: l.seen.Sessions, recipients: l.seen.Recipients}
	runtime.GC()
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	p.heap = mem.HeapAlloc
	l.mu.Lock()
	p.asked = l.asked
	l.mu.Unlock()
	for _, s := range l.stack.pool.Stats().Sources {
		if s.Name == "b" {
			p.b = s
		}
	}
	e := l.stack.pool.Egress("", 1000)
	p.sites = len(e.Sites)
	p.entries = l.stack.cache.Stats().Entries
	if n == 2 || n == l.length-1 {
		p.census = l.count()
	}
	return p
}

func diaryOf(pages []page) string {
	var b strings.Builder
	for _, p := range pages {
		fmt.Fprintf(&b, "day %d: %d asked, %d sessions, %d recipients; b %d of %d, %d dead, %d refusals; %.1f MB, %d goroutines, %d sites, %d entries\n",
			p.day+1, p.asked, p.sessions, p.recipients, p.b.AskedToday, p.b.WarmupToday, p.b.DeadToday, p.b.RefusalsToday,
			float64(p.heap)/mega, p.goroutines, p.sites, p.entries)
	}
	return b.String()
}
