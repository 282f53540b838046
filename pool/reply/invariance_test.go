package reply

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/verimails/verimaild/pool/smtp"
)

// same fails the test unless changed means what r means.
func same(t *testing.T, what string, r corpusRow, changed smtp.Reply) {
	t.Helper()
	want := Builtin().Classify(r.stage, &r.reply, r.provider)
	got := Builtin().Classify(r.stage, &changed, r.provider)
	if got.Class != want.Class || got.Scope != want.Scope {
		t.Errorf("line %d, %s: Classify(%q) = %s %s by %s, want %s %s by %s as for %q",
			r.line, what, changed.Lines, got.Class, got.Scope, got.Rule, want.Class, want.Scope, want.Rule, r.reply.Lines)
	}
}

// eachLine returns r's reply with f applied to each of its lines.
func eachLine(r corpusRow, f func(string) string) smtp.Reply {
	out := r.reply
	out.Lines = nil
	for _, l := range r.reply.Lines {
		out.Lines = append(out.Lines, f(l))
	}
	return out
}

func TestCaseDoesNotMatter(t *testing.T) {
	for _, r := range corpus(t) {
		same(t, "upper case", r, eachLine(r, strings.ToUpper))
		same(t, "lower case", r, eachLine(r, strings.ToLower))
	}
}

// TestNamesDoNotMatter puts names, addresses and hosts that sound like refusals in place of the two parties'.
func TestNamesDoNotMatter(t *testing.T) {
	parties := []*strings.Replacer{
		strings.NewReplacer(
			"ada@example.com", "no-such.user+spam@blocked-list.example.net", "grace@example.org", "greylisted@full-mailbox.example",
			"192.0.2.1", "203.0.113.250", "198.51.100.2", "2001:db8::bad:1",
			"mail.example.org", "unknown-user.blacklist-1.example.org", "mx.example.com", "rate-limit.spam.example.com",
			"example.com", "relay-denied.example", "example.org", "mailbox-full.test",
		),
		strings.NewReplacer(
			"ada@example.com", "\"quota\"@disabled.co.uk", "grace@example.org", "helo@dmarc-spf-tls.com",
			"192.0.2.1", "10.1.2.3", "mail.example.org", "ptr.reverse-dns.invalid", "mx.example.com", "harvest.local",
			"example.com", "null-mx.info", "example.org", "auth-required.biz",
		),
	}
	for _, r := range corpus(t) {
		for _, p := range parties {
			same(t, "other names", r, eachLine(r, p.Replace))
		}
	}
}

// TestFoldsDoNotMatter cuts replies into lines at any column: where a word ends, with or without the space, and
// within words.
func TestFoldsDoNotMatter(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2)) // The same cuts in every run.
	for _, r := range corpus(t) {
		text := strings.Join(r.reply.Lines, " ")
		for range 12 {
			folded := r.reply
			folded.Lines = fold1(rnd, text)
			same(t, "folded", r, folded)
		}
	}
}

// fold1 cuts text once or twice.
func fold1(rnd *rand.Rand, text string) []string {
	runes := []rune(text)
	lines := []string{}
	for len(runes) > 8 && len(lines) < 2 {
		n := 4 + rnd.IntN(len(runes)-4)
		lines = append(lines, string(runes[:n]))
		if runes = runes[n:]; len(runes) > 0 && runes[0] == ' ' && rnd.IntN(2) == 0 {
			runes = runes[1:]
		}
	}
	return append(lines, string(runes))
}
