package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// What is wrong with the reverse-path stands above all else, with what to do about it.
func TestEgressStatusOfTheSender(t *testing.T) {
	at := time.Now().Add(time.Hour)
	refusal := &apitype.EgressRefusal{Host: "mx.a.test", Stage: "mail", Text: "550 5.1.8 no such domain"}
	for _, test := range []struct {
		sender apitype.EgressSender
		want   string // "" is nothing.
	}{
		{apitype.EgressSender{Domain: "example.net", State: "closed"}, ""},
		{apitype.EgressSender{Domain: "example.net", State: "open", OpenUntil: &at, Refusal: refusal}, "refuse example.net: nothing is asked until "},
		{apitype.EgressSender{Domain: "example.net", State: "testing", Refusal: refusal}, "refused example.net; the next question shows"},
	} {
		var out strings.Builder
		renderEgress(&out, &apitype.Egress{Sender: test.sender}, time.Now())
		got := out.String()
		if test.want == "" {
			if strings.Contains(got, "sender") {
				t.Errorf("%s: %s", test.sender.State, got)
			}
			continue
		}
		for _, want := range []string{test.want, "mx.a.test at mail: 550 5.1.8 no such domain", "verimaild doctor"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is not in\n%s", test.sender.State, want, got)
			}
		}
	}
}
