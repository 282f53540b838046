package reply

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/pool/smtp"
)

func TestOperatorRulesWin(t *testing.T) {
	tbl, err := Compile([]Rule{{
		Name: "our-partner", Code: "550", Provider: "google", Any: []string{"no such user"},
		Class: PolicyRefused, Scope: ScopeMailbox, Retry: time.Hour, Seen: "2026-10, our own",
	}})
	if err != nil {
		t.Fatal(err)
	}
	r := &smtp.Reply{Code: 550, Lines: []string{"No such user"}}
	if got := tbl.Classify(smtp.StageRCPT, r, "google"); got.Rule != "our-partner" || got.Class != PolicyRefused || got.Retry != time.Hour {
		t.Errorf("Classify() with an operator's rule = %+v, want our-partner's reading", got)
	}
	if got := tbl.Classify(smtp.StageRCPT, r, ""); got.Class != NoSuchMailbox {
		t.Errorf("Classify() of another provider's reply = %+v, want no_such_mailbox", got)
	}
	if got, ok := tbl.Rule("our-partner"); !ok || got.Seen != "2026-10, our own" {
		t.Errorf("Rule(our-partner) = %+v, %t, want it as written", got, ok)
	}
	if len(tbl.rules) != len(Builtin().rules)+1 {
		t.Errorf("%d rules, want one more than %d", len(tbl.rules), len(Builtin().rules))
	}
	if _, ok := Builtin().Rule("our-partner"); ok {
		t.Error("an operator's rule got into the built-in table")
	}
}

func TestCompileErrors(t *testing.T) {
	ok := func(change func(*Rule)) []Rule {
		r := Rule{Name: "x", Any: []string{"words of ours"}, Class: Other}
		change(&r)
		return []Rule{r}
	}
	tests := []struct {
		name  string
		rules []Rule
		want  string // The key that the error names.
	}{
		{"no name", ok(func(r *Rule) { r.Name = "" }), "name"},
		{"name of a built-in rule", ok(func(r *Rule) { r.Name = "block-list" }), "name"},
		{"class", ok(func(r *Rule) { r.Class = "gone" }), "class"},
		{"no class", ok(func(r *Rule) { r.Class = "" }), "class"},
		{"scope", ok(func(r *Rule) { r.Scope = "galaxy" }), "scope"},
		{"a dead mailbox is about the mailbox", ok(func(r *Rule) { r.Class, r.Scope = NoSuchMailbox, ScopeSource }), "scope"},
		{"detail", ok(func(r *Rule) { r.Detail = "odd" }), "detail"},
		{"stage", ok(func(r *Rule) { r.Stage = "data" }), "stage"},
		{"a dead mailbox before rcpt", ok(func(r *Rule) { r.Class, r.Stage = NoSuchMailbox, "mail" }), "stage"},
		{"mailbox scope before rcpt", ok(func(r *Rule) { r.Scope, r.Stage = ScopeMailbox, "connect rcpt" }), "stage"},
		{"code", ok(func(r *Rule) { r.Code = "55x" }), "code"},
		{"code of another class", ok(func(r *Rule) { r.Code = "650" }), "code"},
		{"accepted with a refusal", ok(func(r *Rule) { r.Class, r.Code = Accepted, "550" }), "code"},
		{"dead with a 2yz", ok(func(r *Rule) { r.Class, r.Code = NoSuchMailbox, "250" }), "code"},
		{"enhanced", ok(func(r *Rule) { r.Enhanced = "5.1" }), "enhanced"},
		{"enhanced range", ok(func(r *Rule) { r.Enhanced = "5.7.9-1" }), "enhanced"},
		{"enhanced of another class than the code", ok(func(r *Rule) { r.Code, r.Enhanced = "4yz", "5.1.1" }), "enhanced"},
		{"retry", ok(func(r *Rule) { r.Retry = 48 * time.Hour }), "retry"},
		{"retry without a unit", ok(func(r *Rule) { r.Retry = 300 }), "retry"},
		{"empty phrase", ok(func(r *Rule) { r.Any = []string{""} }), "any"},
		{"punctuation only", ok(func(r *Rule) { r.Words = []string{"..."} }), "words"},
		{"bracket", ok(func(r *Rule) { r.Not = []string{"(a|b"} }), "not"},
		{"star within", ok(func(r *Rule) { r.Any = []string{"a* b"} }), "any"},
		{"unknown term", ok(func(r *Rule) { r.Any = []string{"<nothing> b"} }), "any"},
		{"unknown word list", ok(func(r *Rule) { r.Any = []string{"$nothing"} }), "any"},
		{"unknown sign", ok(func(r *Rule) { r.Any = []string{"{moon}"} }), "any"},
		{"host", ok(func(r *Rule) { r.Any = []string{"host:Example.com"} }), "any"},
		{"too many alternatives", ok(func(r *Rule) { r.Any = []string{strings.Repeat("(a|b|c|d|e|f|g|h)", 4)} }), "any"},
		{"excludes itself", ok(func(r *Rule) { r.Not = r.Any }), "not"},
		{"excludes itself by a list", ok(func(r *Rule) { r.Any, r.Not = []string{"rcpthosts"}, []string{"$relay"} }), ""},
		{"shadowed by another", []Rule{
			{Name: "wide", Code: "5yz", Any: []string{"a b", "c d"}, Class: Other},
			{Name: "narrow", Code: "550", Stage: "rcpt", Words: []string{"e f"}, Any: []string{"c d"}, Class: Other},
		}, "narrow"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Compile(tt.rules)
			if tt.want == "" {
				if err != nil {
					t.Errorf("Compile() error = %v, want none: the phrase is only part of one in the list", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), `"`+tt.rules[len(tt.rules)-1].Name+`"`) {
				t.Errorf("Compile() error = %v, want one that names the rule and %s", err, tt.want)
			}
		})
	}
}

// TestShadowingByBuiltin: an operator's rule that meets everything leaves the built-in ones nothing to decide, and
// Compile says so.
func TestShadowingByBuiltin(t *testing.T) {
	_, err := Compile([]Rule{{Name: "everything", Class: Other}})
	if err == nil || !strings.Contains(err.Error(), "everything") {
		t.Errorf("Compile() of a rule without conditions: error = %v, want one that names it", err)
	}
}

func TestPhrases(t *testing.T) {
	tests := []struct {
		phrase, text string
		want         bool
	}{
		{"no such user", "No-such\tUSER!", true},
		{"no such user", "no such users", false},
		{"no such user", "casino such user", false},
		{"no such user*", "no such users", true},
		{"*listed", "the host is blacklisted", true},
		{"user .. unknown", "user is currently unknown", true},
		{"user .. unknown", "unknown user", false},
		{"user .. unknown", "user of this mail system and of many others unknown", false},
		{"user ... unknown", "user of this mail system and of others unknown", true},
		{"user .. unknown", "user <ada.lovelace.with.a.very.long.name@example.com> unknown", true},
		{"(a|b) (c|) d", "b d", true},
		{"(a|b) (c|) d", "a c d", true},
		{"(a|b) (c|) d", "c d", false},
		{"inconnu", "Utilisateur INCONNU !", true},
		{"desactive", "Compte désactivé", true},
		{"ueber quota", "über quota", true},
		{"不存在", "用户不存在", true},
		{"пользователь не найден", "Пользователь не\u00a0найден.", true},
		{"host:spamhaus.org", "see https://www.spamhaus.org/query/bl?ip=192.0.2.1", true},
		{"host:spamhaus.org", "spamhaus.org.example.com", false},
		{"{ip}", "from [IPv6:2001:db8::1]", true},
		{"{ip}", "from 192.0.2.1:25", true},
		{"{ip}", "at 12:30:45", false},
		{"{address}", "to <ada@example.com>", true},
		{"{address}", "to <ada>", true},
		{"{address}", "@ home", false},
		{"{said5}", "host mx.example.com[192.0.2.1] said: 550 5.1.1 no", true},
		{"{said4}", "host mx.example.com[192.0.2.1] said: 550 5.1.1 no", false},
	}
	var rules []Rule
	for i, tt := range tests {
		rules = append(rules, Rule{Name: "test-" + strconv.Itoa(i), Code: "599", Any: []string{tt.phrase}, Provider: strconv.Itoa(i), Class: Other})
	}
	tbl, err := Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	for i, tt := range tests {
		m := tbl.Classify(smtp.StageRCPT, &smtp.Reply{Code: 599, Lines: []string{tt.text}}, strconv.Itoa(i))
		if got := m.Rule == rules[i].Name; got != tt.want {
			t.Errorf("phrase %q in %q = %t, want %t", tt.phrase, tt.text, got, tt.want)
		}
	}
}
