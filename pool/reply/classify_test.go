package reply

import (
	"testing"

	"github.com/verimails/verimaild/pool/smtp"
)

func TestClassify(t *testing.T) {
	tests := []struct {
		name  string
		stage smtp.Stage
		reply smtp.Reply
		class Class
		scope Scope
	}{
		{"Postfix, unknown", smtp.StageRCPT, smtp.Reply{Code: 550, Enhanced: smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, Lines: []string{"<ada@example.com>: Recipient address rejected: User unknown in virtual mailbox table"}}, NoSuchMailbox, ScopeMailbox},
		{"Exim, no enhanced code", smtp.StageRCPT, smtp.Reply{Code: 550, Lines: []string{"Unrouteable address"}}, NoSuchMailbox, ScopeMailbox},
		{"folded in a word", smtp.StageRCPT, smtp.Reply{Code: 550, Lines: []string{"No such us", "er here"}}, NoSuchMailbox, ScopeMailbox},
		{"block list", smtp.StageRCPT, smtp.Reply{Code: 554, Enhanced: smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, Lines: []string{"Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"}}, SourceBlocked, ScopeSource},
		{"accepted", smtp.StageRCPT, smtp.Reply{Code: 250, Lines: []string{"OK"}}, Accepted, ScopeMailbox},
		{"no reply", smtp.StageRCPT, smtp.Reply{}, Other, ScopeSite},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Builtin().Classify(tt.stage, &tt.reply, "")
			if got.Class != tt.class || got.Scope != tt.scope {
				t.Errorf("Classify(%s, %v) = %+v, want %s, %s", tt.stage, tt.reply, got, tt.class, tt.scope)
			}
		})
	}
}

func BenchmarkClassify(b *testing.B) {
	r := &smtp.Reply{Code: 550, Enhanced: smtp.EnhancedCode{Class: 5, Subject: 1, Detail: 1}, Lines: []string{"<ada@example.com>: Recipient address rejected: User unknown in virtual mailbox table"}}
	tbl := Builtin()
	b.ReportAllocs()
	for b.Loop() {
		tbl.Classify(smtp.StageRCPT, r, "")
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, err := Compile(nil); err != nil {
			b.Fatal(err)
		}
	}
}
