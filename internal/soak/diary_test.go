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

// diaryOf is the days as they stand in docs/soak.md.
func diaryOf(pages []page) string {
	var b strings.Builder
	b.WriteString("| day | questions | sessions | recipients | b asked, of its allowance | refusals of b | heap | goroutines | sites | records in memory |\n" +
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	var before page
	for _, p := range pages {
		fmt.Fprintf(&b, "| %d | %d | %d | %d | %d of %d | %d | %.1f MB | %d | %d | %d |\n",
			p.day+1, p.asked-before.asked, p.sessions-before.sessions, p.recipients-before.recipients, p.b.AskedToday, p.b.WarmupToday,
			p.b.RefusalsToday, float64(p.heap)/mega, p.goroutines, p.sites, p.entries)
		before = p
	}
	return b.String()
}

// storesOf is how many records the stores had at the end of the third day and of the last.
func storesOf(pages []page) string {
	if len(pages) < 3 {
		return ""
	}
	early, late := pages[2].census, pages[len(pages)-1].census
	var b strings.Builder
	fmt.Fprintf(&b, "| records on disk | day 3 | day %d |\n| --- | --- | --- |\n", len(pages))
	for _, kind := range []struct{ key, name string }{
		{"cache m", "mailboxes"},
		{"cache d", "habits of domains"},
		{"cache h", "mail hosts of domains"},
		{"state pool", "sites, providers, sources"},
		{"state ticket", "tickets"},
		{"state job", "jobs of the last 20 hours"},
	} {
		fmt.Fprintf(&b, "| %s | %d | %d |\n", kind.name, early[kind.key], late[kind.key])
	}
	return b.String()
}
