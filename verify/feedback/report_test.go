package feedback

import (
	"errors"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    Report
		ok   bool
	}{
		{"delivered", Report{Email: "ada@example.com", Outcome: Delivered}, true},
		{"delivered with a reply", Report{Email: "ada@example.com", Outcome: Delivered, Code: 250}, true},
		{"bounced", Report{Email: "ada@example.com", Outcome: Bounced, Code: 550, Enhanced: "5.1.1", Text: "User unknown"}, true},
		{"no outcome", Report{Email: "ada@example.com"}, false},
		{"opened", Report{Email: "ada@example.com", Outcome: "opened"}, false},
		{"no address", Report{Outcome: Bounced}, false},
		{"an address like a book", Report{Email: strings.Repeat("a", 2000) + "@example.com", Outcome: Bounced}, false},
		{"a code that is none", Report{Email: "ada@example.com", Outcome: Bounced, Code: 99}, false},
		{"delivered and refused", Report{Email: "ada@example.com", Outcome: Delivered, Code: 550}, false},
		{"an enhanced code that is none", Report{Email: "ada@example.com", Outcome: Bounced, Enhanced: "five"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.r.Check()
			if (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrReport) {
				t.Errorf("Check() = %v, want ok %t", err, tt.ok)
			}
		})
	}
}

func TestCheckCutsText(t *testing.T) {
	r := Report{Email: "ada@example.com", Outcome: Bounced, Text: strings.Repeat("é", MaxText)}
	clean(t, &r)
	if len(r.Text) != MaxText {
		t.Errorf("a text of %d bytes, want %d", len(r.Text), MaxText)
	}
}
