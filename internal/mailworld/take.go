package mailworld

import "slices"

// TakeSessions returns the sessions that have ended, in the order in which they began, and forgets them: for worlds that
// live for long. What is open is left for the next call. With Spec.CountersOnly there are none.
func (w *World) TakeSessions() []Session {
	w.rec.mu.Lock()
	defer w.rec.mu.Unlock()
	var out []Session
	w.rec.sessions = slices.DeleteFunc(w.rec.sessions, func(r *sessionRecord) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.s.Ended.IsZero() {
			return false
		}
		out = append(out, r.s)
		return true
	})
	return out
}

// TakeQueries returns the DNS queries since the last call, and forgets them.
func (w *World) TakeQueries() []Query {
	w.rec.mu.Lock()
	defer w.rec.mu.Unlock()
	out := w.rec.queries
	w.rec.queries = nil
	return out
}
