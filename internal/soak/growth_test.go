package soak

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/verimails/verimaild/internal/lab"
)

// A census counts the records of both stores, by their kinds.
type census map[string]int

// count looks at a copy of the stores, as another process would find them after a kill.
func (l *life) count() census {
	l.t.Helper()
	dir := filepath.Join(l.t.TempDir(), "copy")
	lab.CopyDir(l.t, dir, filepath.Join(l.dir(), "state"))
	out := census{}
	for _, store := range []string{"state", "cache"} {
		o := badger.DefaultOptions(filepath.Join(dir, store)).WithLogger(nil).WithNumCompactors(0).WithMetricsEnabled(false)
		o.Compression, o.BlockCacheSize = options.None, 0
		db, err := badger.Open(o)
		if err != nil {
			l.t.Fatal(err)
		}
		err = db.View(func(txn *badger.Txn) error {
			opts := badger.DefaultIteratorOptions
			opts.PrefetchValues = false
			it := txn.NewIterator(opts)
			defer it.Close()
			for it.Rewind(); it.Valid(); it.Next() {
				out[kindOf(store, it.Item().Key())]++
			}
			return nil
		})
		if err != nil {
			l.t.Error(err)
		}
		if err := db.Close(); err != nil {
			l.t.Error(err)
		}
	}
	return out
}

// kindOf is what a key says its record is: in the cache by its first octet, for the rest is a hash.
func kindOf(store string, key []byte) string {
	if store == "cache" {
		return store + " " + strings.Trim(fmt.Sprintf("%q", key[:1]), `"`)
	}
	kind, _, _ := strings.Cut(string(key), "/")
	return store + " " + kind
}

// grown holds the last day to the third: whatever is there has been there by then, but for the names that were new
// since.
func grown(t *testing.T, diary []page) {
	t.Helper()
	if len(diary) < 3 {
		return
	}
	early, late := diary[2], diary[len(diary)-1]
	const spare = 3 << 20
	if late.heap > early.heap+early.heap/10+spare {
		t.Errorf("the heap grew from %d to %d bytes", early.heap, late.heap)
	}
	if late.goroutines > early.goroutines+3 {
		t.Errorf("%d goroutines have become %d", early.goroutines, late.goroutines)
	}
	if late.sites > early.sites+early.sites/2 {
		t.Errorf("%d sites in memory have become %d", early.sites, late.sites)
	}
}

// records are the most records of each kind that there can be, by what there is in the country.
func (l *life) records(t *testing.T, diary []page) {
	t.Helper()
	last := diary[len(diary)-1].census
	new := 0 // Names that were new, and were put off before they were remembered.
	for _, g := range greylists {
		new += len(diary) * int(day/g.every)
	}
	domains, hosts := 0, plainHosts+len(oddHosts())+len(greylists)+1
	seen := map[string]bool{}
	for _, who := range l.all {
		if _, d, _ := strings.Cut(who, "@"); !seen[d] {
			seen[d] = true
			domains++
		}
	}
	const others = 20 // Witnesses and their like.
	domains += len(greylists) + blockDomains + others
	for kind, most := range map[string]int{
		"cache m": len(l.all) + new + others + goners + blockDomains*6, "cache d": domains, "cache h": domains, "state pool": hosts + others,
		"state ticket": 2 * int(day/greylists[0].every), "state job": 1000,
	} {
		if n := last[kind]; n > most {
			t.Errorf("%d records of %s, want at most %d: %v", n, kind, most, last)
		}
	}
}

// warmed holds the warm-up of b to its table: the next step after a clean day that was used, the same after one that was
// not, half after two in a row that were not clean.
func warmed(t *testing.T, diary []page, seen *witness) {
	t.Helper()
	table := []int{50, 75, 112, 168, 252, 378, 567, 850, 1275, 1912, 2868, 4302, 6453, 9679, 10000}
	level, bad := table[0], 0
	for _, p := range diary {
		b := p.b
		if b.WarmupToday != level {
			t.Errorf("day %d: b may ask %d, want %d", p.day+1, b.WarmupToday, level)
			return
		}
		if n := seen.days[p.day]; n > level || n > b.AskedToday {
			t.Errorf("day %d: b named %d recipients, and says %d, of %d", p.day+1, n, b.AskedToday, level)
		}
		clean := b.RefusalsToday == 0 && (b.AskedToday < 20 || 5*b.DeadToday <= b.AskedToday)
		switch {
		case !clean:
			if bad++; bad == 2 {
				level, bad = max(table[0], level/2), 0
			}
		case 5*b.AskedToday >= level:
			level, bad = table[slices.IndexFunc(table, func(n int) bool { return n > level })], 0
		default:
			bad = 0
		}
	}
}
