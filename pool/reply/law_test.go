package reply

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/verimails/verimaild/pool/smtp"
)

// generated yields replies of any code, with texts put together from the corpus and from the words of the rules.
func generated(t testing.TB, n int, yield func(smtp.Stage, *smtp.Reply, string)) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(3, 4))
	rows := corpus(t)
	var words []string
	for w := range Builtin().words {
		words = append(words, w)
	}
	providers := []string{"", "google", "yandex", "rackspace", "gmx_webde", "qq", "no_such_provider"}
	for range n {
		var text []string
		if rnd.IntN(2) == 0 {
			text = append(text, rows[rnd.IntN(len(rows))].reply.Text())
		}
		for range rnd.IntN(8) {
			text = append(text, words[rnd.IntN(len(words))])
		}
		r := &smtp.Reply{Code: 200 + rnd.IntN(400), Lines: []string{strings.Join(text, " ")}}
		if rnd.IntN(2) == 0 {
			r.Enhanced = smtp.EnhancedCode{Class: uint16(r.Code / 100), Subject: uint16(rnd.IntN(8)), Detail: uint16(rnd.IntN(30))}
		}
		yield(stageNames[rnd.IntN(stages)], r, providers[rnd.IntN(len(providers))])
	}
}

// TestLaws holds over generated replies what no rule may break.
func TestLaws(t *testing.T) {
	generated(t, 20000, func(stage smtp.Stage, r *smtp.Reply, provider string) {
		m := Builtin().Classify(stage, r, provider)
		reason := Outcome(m, r.Code)
		verdict := verdictOf(reason)
		switch {
		case stage != smtp.StageRCPT && (m.Scope == ScopeMailbox || m.Class.aboutMailbox() && m.Class != CannotVerify):
			t.Errorf("Classify(%s, %q) = %+v: a mailbox is only spoken of at rcpt", stage, r.String(), m)
		case r.Code < 500 && verdict == "undeliverable":
			t.Errorf("Classify(%s, %q) = %+v, %s: only a 5yz is final", stage, r.String(), m, reason)
		case verdict == "undeliverable" && m.Scope != ScopeMailbox && m.Scope != ScopeDomain:
			t.Errorf("Classify(%s, %q) = %+v, %s: not about the address or its domain", stage, r.String(), m, reason)
		case m.Class == Accepted && r.Code >= 300, r.Code < 300 && m.Class != Accepted && m.Class != CannotVerify:
			t.Errorf("Classify(%s, %q) = %+v: the first digit says otherwise", stage, r.String(), m)
		case m.Retry < 0 || m.Retry > maxRetry:
			t.Errorf("Classify(%s, %q).Retry = %v, want 0 to %v", stage, r.String(), m.Retry, maxRetry)
		}
		if verdict == "deliverable" {
			// A rule is a provider's own by its provider, or by a whole sentence of that provider's.
			if rule, _ := Builtin().Rule(m.Rule); rule.Provider == "" && rule.Name != "google-mailbox-busy-relayed" {
				t.Errorf("Classify(%s, %q) = %+v, %s: only a provider's own rule may say that", stage, r.String(), m, reason)
			}
		}
	})
}

func FuzzClassify(f *testing.F) {
	for _, r := range corpus(f) {
		f.Add(string(r.stage), r.reply.Code, r.reply.Enhanced.String(), strings.Join(r.reply.Lines, "\n"), r.provider)
	}
	f.Add("rcpt", 550, "5.1.1", "<\x01@\x01.\x01>\n[[]..@@\n...said: 4\x8050", "google")
	f.Fuzz(func(t *testing.T, stage string, code int, enhanced, text, provider string) {
		e := ParseReply(0, enhanced, "x").Enhanced
		r := &smtp.Reply{Code: code, Enhanced: e, Lines: strings.Split(text, "\n")}
		m := Builtin().Classify(smtp.Stage(stage), r, provider)
		if m.Class == "" || m.Scope == "" {
			t.Errorf("Classify(%q, %d, %q) = %+v: without a class or a scope", stage, code, text, m)
		}
		if stage != "rcpt" && m.Scope == ScopeMailbox {
			t.Errorf("Classify(%q, %d, %q) = %+v: a mailbox before rcpt", stage, code, text, m)
		}
		upper := *r
		upper.Lines = strings.Split(strings.ToUpper(text), "\n")
		if got := Builtin().Classify(smtp.Stage(stage), &upper, provider); isASCII(text) && got.Class != m.Class {
			t.Errorf("Classify(%q, %d, %q) = %s, in upper case %s", stage, code, text, m.Class, got.Class)
		}
		Builtin().Explain(smtp.Stage(stage), r, provider)
	})
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7E || r < 0x20 && r != '\n' }) < 0
}
