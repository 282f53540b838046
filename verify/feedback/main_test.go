package feedback

import (
	"testing"
	"time"
)

var now = time.Date(2026, time.November, 23, 9, 0, 0, 0, time.UTC)

// clean fails for text that a report must not hold.
func clean(t *testing.T, r *Report) {
	t.Helper()
	if err := r.Check(); err != nil {
		t.Errorf("Check(%+v) = %v, want a report that makes sense", r, err)
	}
	if len(r.Text) > MaxText || len(r.Email) > MaxEmail {
		t.Errorf("a text of %d bytes and an address of %d, want at most %d and %d", len(r.Text), len(r.Email), MaxText, MaxEmail)
	}
}
