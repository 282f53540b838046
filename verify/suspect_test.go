package verify

import (
	"math"
	"testing"

	"github.com/verimails/verimaild/pool/provider"
)

func TestSuspectLimit(t *testing.T) {
	for _, test := range []struct {
		name string
		p    *provider.Provider
		want int
	}{
		{"nobody we know", nil, suspectAfter},
		{"one that is known to accept silently", &provider.Provider{Confidence: provider.ConfidenceHigh, Quirks: provider.Quirks{SilentAccept: true}}, suspectSilent},
		{"one that is known well", &provider.Provider{Confidence: provider.ConfidenceMedium}, math.MaxInt},
		{"one that is known by hearsay", &provider.Provider{Confidence: provider.ConfidenceLow}, suspectAfter},
	} {
		if got := suspectLimit(test.p); got != test.want {
			t.Errorf("%s: suspectLimit() = %d, want %d", test.name, got, test.want)
		}
	}
	if p := provider.ByID("ironport"); p == nil || suspectLimit(p) != suspectSilent {
		t.Errorf("suspectLimit(%+v), want that of a product that accepts silently", p)
	}
}
