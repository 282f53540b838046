package reply

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/verimails/verimaild/pool/smtp"
)

// FuzzCompile takes anything for an operator's rule: it is refused, naming the rule, or it reads replies within the laws.
func FuzzCompile(f *testing.F) {
	add := func(stage, code, enhanced, provider, words, not string, class Class, scope Scope) {
		f.Add(stage, code, enhanced, provider, words, not, string(class), string(scope))
	}
	add("rcpt", "550 554", "5.1.1 x.7.z", "google", "no such user\nmailbox", "later", NoSuchMailbox, "")
	add("", "45z", "none", "", "try <again> in\n$blocklist", "{ip}", Greylisted, ScopeSourceSite)
	add("connect ehlo", "5yz", "", "", "go ... away", "", SourceBlocked, ScopeSource)
	add("mail", "550", "", "", "x", "", NoSuchMailbox, ScopeMailbox)
	add("data", "999", "5.y", "nobody", "* ** <> $ { {x} ...", "*", "x", "y")
	add("rcpt", "250", "2.y.z", "", "", "", Accepted, "")
	sample := []string{"No such user here, mailbox unknown", "try again later", "go far away", "x 192.0.2.1 <a@b.example>"}
	f.Fuzz(func(t *testing.T, stage, code, enhanced, provider, words, not, class, scope string) {
		r := Rule{
			Name: "mine", Stage: stage, Code: code, Enhanced: enhanced, Provider: provider, Any: strings.Split(words, "\n"),
			Class: Class(class), Scope: Scope(scope),
		}
		if not != "" {
			r.Not = []string{not}
		}
		table, err := Compile([]Rule{r})
		if err != nil {
			if text := err.Error(); !strings.Contains(text, "mine") || !utf8.ValidString(text) && utf8.ValidString(stage+code+enhanced+provider+words+not+class+scope) {
				t.Errorf("Compile(%+v) = %q", r, text)
			}
			return
		}
		for _, text := range append(sample, words) {
			for _, code := range []int{250, 252, 421, 450, 550, 554} {
				for _, stage := range []smtp.Stage{smtp.StageConnect, smtp.StageMAIL, smtp.StageRCPT} {
					m := table.Classify(stage, &smtp.Reply{Code: code, Lines: []string{text}}, "")
					if m.Class == "" || m.Scope == "" || stage != smtp.StageRCPT && m.Scope == ScopeMailbox || code < 500 && m.Class.dead() && verdictOf(Outcome(m, code)) == "undeliverable" {
						t.Errorf("with %+v, Classify(%s, %d %q) = %+v", r, stage, code, text, m)
					}
				}
			}
		}
	})
}
