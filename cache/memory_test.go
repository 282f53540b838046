package cache

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

func TestMemoryIsBounded(t *testing.T) {
	tests := []struct {
		name           string
		entries, bytes int
	}{
		{"by entries", 160, 1 << 30},
		{"by bytes", 1 << 20, 160 << 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.memory = newMemory(tt.entries, tt.bytes)
			for i := range 2000 {
				b.put(fmt.Sprintf("user%d@example.com", i), verdict.MailboxAccepted)
				b.put("user0@example.com", verdict.MailboxAccepted) // Used all the time.
			}
			entries, bytes := b.memory.size()
			if entries > tt.entries || bytes > tt.bytes || entries < tt.entries/4 && bytes < tt.bytes/4 {
				t.Errorf("memory holds %d entries and %d bytes, want up to %d and %d", entries, bytes, tt.entries, tt.bytes)
			}
			if s := b.Stats(); s.Entries != entries || s.Bytes != bytes {
				t.Errorf("Stats() = %d entries, %d bytes, want %d and %d", s.Entries, s.Bytes, entries, bytes)
			}
			b.memory.clear()
			if entries, bytes := b.memory.size(); entries != 0 || bytes != 0 {
				t.Errorf("emptied memory holds %d entries and %d bytes", entries, bytes)
			}
		})
	}
}

// TestLeastRecentlyUsedGoesFirst fills one part of memory.
func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	m := newMemory(3*shards, 1<<20)
	key := func(i int) memKey { return memKey{kindMailbox, fmt.Sprint(i)} }
	for i := range 3 {
		m.add(0, key(i), &item{size: 1})
	}
	m.get(0, key(0))
	m.add(0, key(3), &item{size: 1})
	for i, want := range []bool{true, false, true, true} {
		if _, ok := m.get(0, key(i)); ok != want {
			t.Errorf("entry %d is held: %v, want %v", i, ok, want)
		}
	}
}

// TestDayOfVirtualTime asks for a set of mailboxes for a day, minute by minute, and asks afresh behind every answer
// that is missing or stale, as the verifier does. What is asked of mail servers must be what the ages say.
func TestDayOfVirtualTime(t *testing.T) {
	b := newBench(t)
	reasons := map[string]verdict.Reason{}
	names := make([]string, 200)
	for i := range names {
		names[i] = fmt.Sprintf("user%d@example%d.com", i, i%10)
		reasons[names[i]] = []verdict.Reason{verdict.MailboxAccepted, verdict.MailboxNotFound, verdict.MailboxFull, verdict.MailboxDisabled}[i%4]
	}
	asked, dns := map[string]int{}, map[string]int{}
	rng := rand.New(rand.NewPCG(1, 2))
	for minute := range 24 * 60 {
		if minute%200 == 100 {
			b.emptyMemory() // Now and then memory is lost, as by a restart.
		}
		for range 5 {
			name := names[rng.IntN(len(names))]
			a := addr(t, name)
			if h, f := b.Hosts(a.Domain()); f != fresh {
				dns[a.Domain().ASCII()]++
				b.PutHosts(b.BeginDomain(a.Domain()), found(a.Domain(), b.clock.now()))
			} else if h.Status != maildns.Found {
				t.Fatalf("Hosts(%s) = %q", a.Domain(), h.Status)
			}
			m, f := b.Mailbox(a)
			if f != none && (m.Reason != reasons[name] || !b.clock.now().Before(m.ExpiresAt)) {
				t.Fatalf("Mailbox(%s) = %q until %v at %v, want %q", name, m.Reason, m.ExpiresAt, b.clock.now(), reasons[name])
			}
			if f != fresh {
				asked[name]++
				b.put(name, reasons[name])
			}
		}
		b.clock.advance(time.Minute)
	}
	ages := DefaultAges()
	for name, n := range asked {
		limit := 1 + int(day/ages.mailbox(reasons[name]).Soft)
		if n > limit {
			t.Errorf("%s (%s) was asked about %d times in a day, want %d at most", name, reasons[name], n, limit)
		}
	}
	for d, n := range dns {
		if n < 20 || n > 24 { // The TTL is an hour.
			t.Errorf("the DNS was asked about %s %d times in a day, want about 24", d, n)
		}
	}
	for k, s := range b.Stats().Kinds[:3] {
		if kind(k) == kindDomain {
			continue
		}
		if hits := s.Memory + s.Disk; hits < 10*s.Misses || s.Disk == 0 {
			t.Errorf("%s: %+v, want ten times as many hits as misses, in both tiers", s.Kind, s)
		}
	}
}
