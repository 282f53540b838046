package verdict

import (
	"strings"
	"testing"
)

// TestSentences: every reason has one sentence of its own that a person can read in a breath. An unknown answer never
// claims that mail arrives or bounces.
func TestSentences(t *testing.T) {
	seen := map[string]Reason{}
	for _, r := range Reasons() {
		s := r.Explanation()
		switch other, twice := seen[s]; {
		case twice:
			t.Errorf("%s and %s have the same sentence", r, other)
		case s == "" || !strings.HasSuffix(s, ".") || strings.Contains(s, ". "):
			t.Errorf("%s: %q is not one sentence", r, s)
		case len(s) > 200:
			t.Errorf("%s: %q has %d bytes, want at most 200", r, s, len(s))
		case strings.ToUpper(s[:1]) != s[:1]:
			t.Errorf("%s: %q does not begin as a sentence", r, s)
		case r.Verdict() == Unknown && (strings.Contains(s, "bounces") || strings.Contains(s, "no such mailbox")):
			t.Errorf("%s: %q claims what is not known", r, s)
		}
		seen[s] = r
	}
}
