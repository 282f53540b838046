package pool

import "strings"

// crossed reports whether some reply names another recipient of f and not its own, whose own reply does not name it: the
// replies were not given in the order of the commands, as RFC 2920 §3.2 has it, or one was left out. A server that names
// an alias's target is none of those, where both were asked about: the target's own reply names it as well.
func (f *flight) crossed() bool {
	if f.size() < 2 || !f.mixed() {
		return false
	}
	type pair struct{ path, text string }
	var all []pair
	for i := range f.batches {
		for j, pr := range f.batches[i].probes {
			all = append(all, pair{pr.rcpt.Path, f.batches[i].replies[j].reply.Text()})
		}
	}
	for i, a := range all {
		if !strings.Contains(a.text, "@") || strings.Contains(a.text, a.path) { // Most name nobody, or their own.
			continue
		}
		for j, b := range all {
			if i != j && strings.Contains(a.text, b.path) && !strings.Contains(b.text, b.path) {
				return true
			}
		}
	}
	return false
}
