package bulk

import (
	"time"

	"github.com/verimails/verimaild/internal/store"
)

// waits are the rows that were put off, each until a time of its own. They live in the store; here is only what is due.
type waits struct {
	records *records
	id      string
	count   int64               // Rows in the store.
	next    time.Time           // No row that is not busy is due before; zero if there is none.
	last    time.Time           // No row was ever due after.
	ready   []*wait             // Read, and not taken yet.
	busy    map[uint64]struct{} // Ready or in flight, by row. They stay in the store until their outcome is there.
}

// none reports whether no row waits.
func (w *waits) none() bool { return w.count == 0 && len(w.busy) == 0 }

// due reports whether a row may be due.
func (w *waits) due(now time.Time) bool {
	return len(w.ready) > 0 || !w.next.IsZero() && !now.Before(w.next)
}

// added is told of a row that waits from now on.
func (w *waits) added(due time.Time) {
	if w.next.IsZero() || due.Before(w.next) {
		w.next = due
	}
	if due.After(w.last) {
		w.last = due
	}
}

// pop takes a row that is due; nil if there is none. At most the given number are read ahead.
func (w *waits) pop(now time.Time, most int) (*wait, error) {
	if len(w.ready) == 0 {
		if err := w.load(now, most-len(w.busy)); err != nil {
			return nil, err
		}
	}
	if len(w.ready) == 0 {
		return nil, nil //nolint:nilnil // As documented.
	}
	first := w.ready[0]
	w.ready = w.ready[1:]
	return first, nil
}

// load reads up to n rows that are due.
func (w *waits) load(now time.Time, n int) error {
	w.next = time.Time{}
	for it, err := range w.records.waits.Scan(store.Range{Prefix: []byte(w.id)}) {
		if err != nil {
			return err
		}
		due := dueOfKey(it.Key)
		if _, busy := w.busy[it.Value.question.row]; busy {
			continue
		}
		if due.After(now) || len(w.ready) >= n {
			w.next = due
			return nil
		}
		it.Value.due = due
		w.busy[it.Value.question.row] = struct{}{}
		w.ready = append(w.ready, &it.Value)
	}
	return nil
}
