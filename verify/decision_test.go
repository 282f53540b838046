package verify

import (
	"strings"
	"testing"

	"github.com/verimails/verimaild/verify/verdict"
)

func TestDecisionOf(t *testing.T) {
	rcpt := func(code int, class, scope string) verdict.Evidence {
		return verdict.Evidence{Stage: "rcpt", Code: code, Class: class, Scope: scope, Source: "a"}
	}
	made := func(e verdict.Evidence) verdict.Evidence { e.Control = true; return e }
	accepted, refused := rcpt(250, "accepted", "mailbox"), rcpt(550, "no_such_mailbox", "mailbox")
	report := verdict.Evidence{Stage: verdict.StageReport, Code: 550}
	for _, tt := range []struct {
		name     string
		reason   verdict.Reason
		evidence []verdict.Evidence
		rule     string
		says     string // Some words of it.
	}{
		{"not an address", verdict.InvalidSyntax, nil, ruleSyntax, "RFC 5321"},
		{"depth dns", verdict.NotProbed, nil, ruleDepth, "mail server's word"},
		{"never_probe", verdict.ProbeSuppressed, nil, ruleSuppressed, "unknown"},
		{"NXDOMAIN", verdict.DomainNotFound, nil, ruleDNS, "holds for all"},
		{"SERVFAIL", verdict.DNSFailure, nil, ruleDNS, "stays unknown"},
		{"no MX", verdict.NoMailHost, nil, ruleDNS, "holds for all"},
		{"521", verdict.NoMailHost, []verdict.Evidence{{Stage: "connect", Code: 521}}, ruleBeforeRCPT, "RFC 7504"},
		{"no sender", verdict.EgressBlocked, nil, ruleLocal, "no evidence"},
		{"timeout", verdict.ConnectTimeout, []verdict.Evidence{{Stage: "connect"}}, ruleNoReply, "never about the address"},
		{"blocked", verdict.SourceBlocked, []verdict.Evidence{{Stage: "connect", Code: 554}}, ruleBeforeRCPT, "at connect"},
		{"refused", verdict.MailboxNotFound, []verdict.Evidence{refused}, ruleRCPT, "for good (550)"},
		{"refused, control too", verdict.MailboxNotFound, []verdict.Evidence{refused, made(refused)}, ruleRCPT, "for good (550)"},
		{"blocked at RCPT", verdict.SourceBlocked, []verdict.Evidence{rcpt(550, "source_blocked", "source")}, ruleRCPT, "source address that asked"},
		{"greylisted", verdict.Greylisted, []verdict.Evidence{rcpt(450, "greylisted", "source_site")}, ruleRCPT, "4yz"},
		{"full", verdict.MailboxFull, []verdict.Evidence{rcpt(452, "mailbox_full", "mailbox")}, ruleRCPT, "there is one"},
		{"all alike", verdict.UniformRefusal, []verdict.Evidence{refused, made(refused)}, ruleUniform, "postmaster"},
		{"deliverable", verdict.MailboxAccepted, []verdict.Evidence{accepted, made(refused)}, ruleAcceptance, "a made-up one of the same domain refused (550)"},
		{"deliverable, known domain", verdict.MailboxAccepted, []verdict.Evidence{accepted}, ruleAcceptance, "known to refuse"},
		{"catch-all", verdict.AcceptedCatchAll, []verdict.Evidence{accepted, made(accepted)}, ruleAcceptance, "so was a made-up one"},
		{"known catch-all", verdict.AcceptedCatchAll, []verdict.Evidence{made(accepted)}, ruleAcceptance, "so it was not"},
		{"untested", verdict.AcceptedUntested, []verdict.Evidence{accepted}, ruleAcceptance, "no made-up one was asked"},
		{"no reply to the control", verdict.AcceptedUntested, []verdict.Evidence{accepted, made(verdict.Evidence{Stage: "rcpt"})}, ruleAcceptance, "got no reply"},
		{"control put off", verdict.AcceptedUntested, []verdict.Evidence{accepted, made(rcpt(450, "greylisted", "source_site"))}, ruleAcceptance, "450, greylisted"},
		{"weak provider", verdict.ProviderUnverifiable, []verdict.Evidence{accepted}, ruleProvider, "mode weak"},
		{"provider without a signal", verdict.ProviderUnverifiable, nil, ruleProvider, "mode weak"},
		{"harvest defence", verdict.AcceptSuspect, []verdict.Evidence{accepted, made(accepted)}, ruleSilenced, "tells this source no more"},
		{"role", verdict.RoleAddress, []verdict.Evidence{accepted, made(refused)}, ruleListed, "policy"},
		{"bounced", verdict.MailboxNotFound, []verdict.Evidence{accepted, made(refused), report}, ruleReport, "real message"},
		{"exposed domain", verdict.AcceptedCatchAll, []verdict.Evidence{report}, ruleReport, "real message"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := decisionOf(&verdict.Answer{Reason: tt.reason, Evidence: tt.evidence, ProviderMode: "weak", Stage: "dns", Domain: "example.com"})
			if d.Rule != tt.rule || !strings.Contains(d.Says, tt.says) {
				t.Errorf("decisionOf() = %s: %q, want %s: …%s…", d.Rule, d.Says, tt.rule, tt.says)
			}
		})
	}
}

// TestDecisionSpeaks: there is a sentence for every reason, whatever the evidence.
func TestDecisionSpeaks(t *testing.T) {
	for _, r := range verdict.Reasons() {
		for _, evidence := range [][]verdict.Evidence{nil, {{Stage: "connect"}}, {{Stage: "mail", Code: 550}}, {{Stage: "rcpt", Code: 250}}, {{Stage: "rcpt", Code: 550}}, {{Stage: "rcpt", Code: 450, Control: true}}} {
			d := decisionOf(&verdict.Answer{Reason: r, Evidence: evidence})
			if d.Rule == "" || !strings.HasSuffix(d.Says, ".") {
				t.Errorf("decisionOf(%s, %v) = %+v, want a rule and a sentence", r, evidence, d)
			}
		}
		// What was accepted could still be a trap or bounce later; nothing else claims so.
		accepted := r.IsAcceptance() || r == verdict.RoleAddress || r == verdict.Disposable || r == verdict.PrivacyRelay
		if got := len(unseen(r)) > 0; got != accepted {
			t.Errorf("unseen(%s) says something: %t, want %t", r, got, accepted)
		}
	}
}
