package reply

import (
	"slices"
	"strings"
	"testing"

	"github.com/verimails/verimaild/pool/smtp"
)

func TestOutcome(t *testing.T) {
	tests := []struct {
		m       Meaning
		code    int
		reason  string
		verdict string
	}{
		{Meaning{Class: Accepted, Scope: ScopeMailbox}, 250, "accepted_untested", "risky"},
		{Meaning{Class: CannotVerify, Scope: ScopeMailbox}, 252, "accepted_untested", "risky"},
		{Meaning{Class: NoSuchMailbox, Scope: ScopeMailbox}, 550, "mailbox_not_found", "undeliverable"},
		{Meaning{Class: NoSuchMailbox, Scope: ScopeMailbox}, 500, "mailbox_not_found", "undeliverable"},
		{Meaning{Class: NoSuchMailbox, Scope: ScopeMailbox, Detail: DetailMoved}, 500, "mailbox_moved", "undeliverable"},
		{Meaning{Class: NoSuchMailbox, Scope: ScopeMailbox}, 450, "server_tempfail", "unknown"},
		{Meaning{Class: NoSuchMailbox, Scope: ScopeMailbox, Detail: DetailMoved}, 551, "mailbox_moved", "undeliverable"},
		{Meaning{Class: NoSuchMailbox, Scope: ScopeMailbox, Detail: DetailMoved}, 450, "server_tempfail", "unknown"},
		{Meaning{Class: MailboxDisabled, Scope: ScopeMailbox}, 550, "mailbox_disabled", "undeliverable"},
		{Meaning{Class: MailboxDisabled, Scope: ScopeMailbox}, 421, "server_tempfail", "unknown"},
		{Meaning{Class: MailboxFull, Scope: ScopeMailbox}, 552, "mailbox_full", "risky"},
		{Meaning{Class: MailboxFull, Scope: ScopeMailbox}, 452, "mailbox_full", "risky"},
		{Meaning{Class: AddressSyntax, Scope: ScopeMailbox}, 501, "recipient_refused", "undeliverable"},
		{Meaning{Class: AddressSyntax, Scope: ScopeMailbox}, 450, "server_tempfail", "unknown"},
		{Meaning{Class: DomainNotHere, Scope: ScopeDomain}, 554, "relay_denied", "unknown"},
		{Meaning{Class: DomainNotHere, Scope: ScopeDomain}, 521, "no_mail_host", "undeliverable"},
		{Meaning{Class: DomainNotHere, Scope: ScopeDomain}, 556, "no_mail_host", "undeliverable"},
		{Meaning{Class: DomainNotHere, Scope: ScopeDomain, Detail: DetailNoMail}, 521, "no_mail_host", "undeliverable"},
		{Meaning{Class: DomainNotHere, Scope: ScopeDomain, Detail: DetailNoMail}, 556, "no_mail_host", "undeliverable"},
		{Meaning{Class: DomainNotHere, Scope: ScopeDomain, Detail: DetailNoMail}, 550, "relay_denied", "unknown"},
		{Meaning{Class: Greylisted, Scope: ScopeSourceSite}, 450, "greylisted", "unknown"},
		{Meaning{Class: TemporaryFailure, Scope: ScopeSite}, 451, "server_tempfail", "unknown"},
		{Meaning{Class: TemporaryFailure, Scope: ScopeSite}, 550, "server_tempfail", "unknown"},
		{Meaning{Class: TemporaryFailure, Scope: ScopeSession, Detail: DetailMixedDomains}, 451, "session_limited", "unknown"},
		{Meaning{Class: RateLimited, Scope: ScopeSourceSite}, 550, "source_rate_limited", "unknown"},
		{Meaning{Class: RateLimited, Scope: ScopeSession}, 421, "session_limited", "unknown"},
		{Meaning{Class: RateLimited, Scope: ScopeMailbox}, 450, "mailbox_busy", "deliverable"},
		{Meaning{Class: RateLimited, Scope: ScopeSourceSite, Detail: DetailHarvest}, 550, "harvest_limited", "unknown"},
		{Meaning{Class: SourceBlocked, Scope: ScopeSource}, 554, "source_blocked", "unknown"},
		{Meaning{Class: SenderRefused, Scope: ScopeSender}, 550, "sender_refused", "unknown"},
		{Meaning{Class: SenderRefused, Scope: ScopeSource, Detail: DetailNoPTR}, 550, "source_no_ptr", "unknown"},
		{Meaning{Class: SenderRefused, Scope: ScopeSender, Detail: DetailHELO}, 550, "helo_refused", "unknown"},
		{Meaning{Class: SenderRefused, Scope: ScopeSite, Detail: DetailTLSRequired}, 530, "tls_required", "unknown"},
		{Meaning{Class: PolicyRefused, Scope: ScopeMailbox}, 550, "recipient_refused", "undeliverable"},
		{Meaning{Class: PolicyRefused, Scope: ScopeSender}, 550, "sender_refused", "unknown"},
		{Meaning{Class: PolicyRefused, Scope: ScopeSourceSite}, 550, "source_blocked", "unknown"},
		{Meaning{Class: PolicyRefused, Scope: ScopeMailbox}, 450, "server_tempfail", "unknown"},
		{Meaning{Class: Other, Scope: ScopeSite}, 550, "protocol_error", "unknown"},
		{Meaning{Class: Other, Scope: ScopeSite}, 450, "server_tempfail", "unknown"},
	}
	for _, tt := range tests {
		if got := Outcome(tt.m, tt.code); got != tt.reason {
			t.Errorf("Outcome(%+v, %d) = %s, want %s", tt.m, tt.code, got, tt.reason)
		}
		if got := verdictOf(tt.reason); got != tt.verdict {
			t.Errorf("verdictOf(%s) = %s, want %s", tt.reason, got, tt.verdict)
		}
	}
}

// TestAdvice: whatever a reply means, an operator is told something.
func TestAdvice(t *testing.T) {
	for _, r := range corpus(t) {
		e := Builtin().Explain(r.stage, &r.reply, r.provider)
		if len(e.Advice.Fix) == 0 || e.Whom == "" || e.Reason == "" || e.Verdict == "" {
			t.Errorf("line %d: Explain(%q) = %+v: advice, whom, reason and verdict are wanted", r.line, r.reply.String(), e)
		}
	}
	for d := range knownDetails {
		if d != "" && d != DetailNoMail && advices().Meanings[string(d)] == nil {
			t.Errorf("there is no advice for the detail %s", d)
		}
	}
	for _, e := range advices().Lists {
		if e.Who == "" || len(e.Fix) == 0 || len(e.Marks)+len(e.Rules) == 0 {
			t.Errorf("advice %+v is incomplete", e)
		}
		for _, n := range e.Rules {
			if !anyRuleFits(n) {
				t.Errorf("advice of %s: no rule is called %s", e.Who, n)
			}
		}
	}
}

// A detail has advice of its own, and a list or a provider is named only where the source is what it is about.
func TestAdviceIsAboutTheReply(t *testing.T) {
	const listed = "blocked using zen.spamhaus.org"
	class, detail := advices().Meanings[string(SenderRefused)], advices().Meanings[string(DetailNoPTR)]
	if got := Advise(Meaning{Class: SenderRefused, Detail: DetailNoPTR}, ""); !slices.Equal(got.Fix, detail) || slices.Equal(detail, class) {
		t.Errorf("Advise(no PTR) = %q, want %q", got.Fix, detail)
	}
	if got := Advise(Meaning{Class: SenderRefused}, ""); !slices.Equal(got.Fix, class) {
		t.Errorf("Advise(sender refused) = %q, want %q", got.Fix, class)
	}
	for _, tt := range []struct {
		m    Meaning
		want bool
	}{
		{Meaning{Class: SourceBlocked, Scope: ScopeSource}, true},
		{Meaning{Class: SourceBlocked, Scope: ScopeMailbox}, true},
		{Meaning{Class: SourceBlocked, Scope: ScopeSource, Detail: DetailBlockListed}, true},
		{Meaning{Class: RateLimited, Scope: ScopeSourceSite}, true},
		{Meaning{Class: RateLimited, Scope: ScopeSourceSite, Detail: DetailHarvest}, true},
		{Meaning{Class: RateLimited, Scope: ScopeMailbox}, false},
		{Meaning{Class: RateLimited, Scope: ScopeSession}, false},
		{Meaning{Class: SourceBlocked, Scope: ScopeSource, Detail: DetailNoPTR}, false},
		{Meaning{Class: TemporaryFailure, Scope: ScopeSourceSite}, false},
		{Meaning{Class: NoSuchMailbox, Scope: ScopeMailbox}, false},
	} {
		if got := Advise(tt.m, listed).Who != ""; got != tt.want {
			t.Errorf("Advise(%+v, %q) names somebody: %t, want %t", tt.m, listed, got, tt.want)
		}
	}
}

func anyRuleFits(name string) bool {
	for _, r := range Builtin().rules {
		if fitsAny(r.Name, []string{name}) {
			return true
		}
	}
	return false
}

func TestExplain(t *testing.T) {
	tests := []struct {
		name    string
		stage   smtp.Stage
		reply   string
		because string
		who     string
		reason  string
	}{
		{"list", smtp.StageConnect, "554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org", "host:spamhaus.org", "Spamhaus", "source_blocked"},
		{"words with a gap", smtp.StageRCPT, "550 User <ada@example.com> is unknown here", "user … unknown", "", "mailbox_not_found"},
		{"codes alone", smtp.StageRCPT, "550 5.1.1 Sorry", "", "", "mailbox_not_found"},
		{"no rule of words", smtp.StageRCPT, "550 Sorry", "", "", "protocol_error"},
		{"provider", smtp.StageMAIL, "421 4.7.0 [TSS04] Messages deferred", "tss", "Yahoo", "source_blocked"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ParseReply(0, "", tt.reply)
			e := Builtin().Explain(tt.stage, &r, "")
			if !strings.Contains(strings.Join(e.Because, ","), tt.because) || e.Advice.Who != tt.who || e.Reason != tt.reason || e.Rule.Name != e.Meaning.Rule {
				t.Errorf("Explain(%s, %q) = %+v, want because of %q, refused by %q, %s", tt.stage, tt.reply, e, tt.because, tt.who, tt.reason)
			}
		})
	}
}

func TestParseStage(t *testing.T) {
	for in, want := range map[string]smtp.Stage{"": "rcpt", "unknown": "rcpt", "data": "rcpt", "RCPT": "rcpt", "helo": "ehlo", "connect": "connect", "quit": "quit"} {
		if got, err := ParseStage(in); err != nil || got != want {
			t.Errorf("ParseStage(%q) = %s, %v, want %s", in, got, err, want)
		}
	}
	if _, err := ParseStage("vrfy"); err == nil {
		t.Error("ParseStage(vrfy) is no error")
	}
}

func TestParseReply(t *testing.T) {
	if r := ParseReply(0, "", "5.1.1 User unknown"); r.Code != 550 {
		t.Errorf("ParseReply of an enhanced code alone has code %d, want 550", r.Code)
	}
	if r := ParseReply(0, "", "User unknown"); r.Code != 0 {
		t.Errorf("ParseReply without any code has code %d, want 0", r.Code)
	}
}
