package bulk

// A lane is a domain that rows are taken of.
type lane struct {
	index  uint32 // Of the domain in the order.
	at     place  // Of the next question.
	far    uint64 // The offset up to which questions have been seen.
	open   int64  // Rows of the domain that have no outcome and do not wait, as far as is known.
	share  int    // How many turns it has at a time, by its size.
	turns  int    // How many of these are left.
	asked  int    // Items that are out.
	queued bool   // In the scheduler's queue.
	slow   bool   // Its mail server has kept a row past the usual deadline.

	parked bool // It waits until its site lets it in again; no more items are taken.
	back   place
	site   *site // By which it was let in again; nil if it never was parked.
}

// A place is where a lane stands in its domain.
type place struct {
	offset uint64
	left   uint32 // Questions from there on.
}

// A parked lane is all that is kept of one that waits.
type parkedLane struct {
	index uint32
	slow  bool
	at    place
	far   uint64
	open  int64
}

// An item is one question on its way.
type item struct {
	question question
	lane     *lane // nil for one that has waited.
	at       place
	wait     *wait // nil for one of a lane.
}

// domain is the number of the item's domain.
func (it *item) domain() uint32 {
	if it.lane != nil {
		return it.lane.index
	}
	return it.wait.domain
}

// next takes the lane's next question that is not taken; false at its end.
func (l *lane) next(o *order, taken func(row uint64) bool) (item, bool, error) {
	for l.at.left > 0 {
		here := l.at
		q, n, err := o.question(here.offset)
		if err != nil {
			return item{}, false, err
		}
		l.at = place{here.offset + uint64(n), here.left - 1} //nolint:gosec // G115: a length.
		seen := here.offset < l.far
		l.far = max(l.far, l.at.offset)
		if !taken(q.row) {
			return item{question: q, lane: l, at: here}, true, nil
		}
		if !seen {
			l.open -= int64(q.rows)
		}
	}
	return item{}, false, nil
}

// goBack makes the lane ask again from p on, once it is let in.
func (l *lane) goBack(p place) {
	if !l.parked || p.offset < l.back.offset {
		l.back = p
	}
	l.parked = true
}
