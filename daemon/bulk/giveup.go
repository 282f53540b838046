package bulk

import (
	"time"

	"github.com/verimails/verimaild/internal/store"
)

// giveUp gives every row that has no outcome the one that it has so far. It reports whether that is done; it is not if
// the job has been told to stop meanwhile.
func (r *runner) giveUp(now time.Time) (done bool, err error) {
	for it, err := range r.jobs.records.waits.Scan(store.Range{Prefix: []byte(r.job.id)}) {
		if err != nil {
			return false, err
		}
		w := it.Value
		w.due = dueOfKey(it.Key)
		r.settle(item{question: w.question, wait: &w}, w.outcome)
		if !r.writeAll() {
			return false, nil
		}
	}
	told := r.sched.told()
	for i := range uint32(r.order.sizes.Domains) { //nolint:gosec // G115: domains are counted in 32 bits.
		why, known := told[i]
		if !known {
			why = unasked(now)
		}
		if done, err := r.giveUpDomain(i, why); err != nil || !done {
			return false, err
		}
	}
	return r.writeRest(), nil
}

// giveUpDomain gives those rows of a domain an outcome that have none.
func (r *runner) giveUpDomain(i uint32, why Outcome) (done bool, err error) {
	d, err := r.order.domain(i)
	if err != nil {
		return false, err
	}
	l := &lane{index: i, at: place{d.offset, d.questions}}
	for {
		it, ok, err := l.next(r.order, r.taken.has)
		if err != nil || !ok {
			return err == nil, err
		}
		r.settle(it, why)
		if !r.writeAll() {
			return false, nil
		}
	}
}

// writeAll writes pending outcomes once they are many; false if the job has been told to stop.
func (r *runner) writeAll() bool {
	return len(r.pending) < maxChanges || r.writeRest()
}

// writeRest waits until nothing is pending; false if the job has been told to stop.
func (r *runner) writeRest() bool {
	for !r.settled() {
		r.flush()
		select {
		case b := <-r.commit.out:
			r.written(b)
		case <-r.job.poked:
			if r.job.halted() {
				return false
			}
		}
	}
	return !r.job.halted()
}
