package feedback

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify/verdict"
)

const (
	day         = 24 * time.Hour
	unknownUser = "550 5.1.1 <ada@example.com>: Recipient address rejected: User unknown"
)

// bounce is the facts of a bounce with this text, a minute ago, of an address that nothing is known of.
func bounce(text string) Facts {
	f := Facts{App: "shop", Outcome: Bounced, At: now.Add(-time.Minute), Now: now}
	r := Report{Outcome: Bounced, Text: text}
	if text == "5.1.1" { // Some senders' services say no more.
		r.Enhanced, r.Text = text, ""
	}
	rep := r.Reply()
	f.Code, f.Enhanced = rep.Code, rep.Enhanced
	if rep.Code != 0 {
		f.Meaning = reply.Builtin().Classify(smtp.StageRCPT, &rep, "")
	}
	return f
}

func delivered() Facts {
	return Facts{App: "shop", Outcome: Delivered, At: now.Add(-time.Minute), Now: now}
}

// knowing adds what is remembered: an answer of this age.
func (f Facts) knowing(r verdict.Reason, age time.Duration) Facts {
	f.Known, f.Answer = verdict.Fresh, r
	f.Mailbox = verdict.Mailbox{Reason: r, CheckedAt: f.Now.Add(-age)}
	return f
}

// reported makes what is remembered the report of an application.
func (f Facts) reported(app string) Facts {
	f.Mailbox.Evidence = []verdict.Evidence{{Stage: verdict.StageReport, Source: app, At: f.Mailbox.CheckedAt}}
	return f
}

func (f Facts) at(age time.Duration) Facts { f.At = f.Now.Add(-age); return f }

func TestJudge(t *testing.T) {
	elsewhere := func(f Facts) Facts { f.Elsewhere = true; return f }
	closed := func(f Facts) Facts { f.Closed = true; return f }
	catchAll := func(f Facts) Facts { f.Habit = verdict.True; return f }
	refuses := func(f Facts) Facts { f.Habit = verdict.False; return f }
	delayed := func(f Facts) Facts { f.Outcome = Delayed; return f }
	answered := func(f Facts, r verdict.Reason) Facts { f.Answer = r; return f }
	nothing := func(s Says) Judgement { return Judgement{Says: s, Effect: EffectNone} }
	gone := Judgement{Says: SaysRefused, Effect: EffectRemembered, Reason: verdict.MailboxNotFound}
	for _, tt := range []struct {
		name  string
		facts Facts
		want  Judgement
	}{
		// What a report says.
		{"delivered", delivered(), Judgement{Says: SaysDelivered, Effect: EffectRemembered, Reason: verdict.MailboxAccepted}},
		{"no such user", bounce(unknownUser), gone},
		{"disabled", bounce("550 5.2.1 The email account is disabled"), Judgement{SaysRefused, EffectRemembered, verdict.MailboxDisabled, false, 0}},
		{"moved", bounce("551 5.1.6 User has moved, please try <bob@example.net>"), Judgement{SaysRefused, EffectRemembered, verdict.MailboxMoved, false, 0}},
		{"members only", bounce("550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup"), Judgement{SaysRefused, EffectRemembered, verdict.RecipientRefused, false, 0}},
		{"full", bounce("552 5.2.2 Mailbox over quota"), Judgement{SaysFull, EffectRemembered, verdict.MailboxFull, false, 0}},
		{"full for now", bounce("452 4.2.2 Mailbox full"), Judgement{SaysFull, EffectRemembered, verdict.MailboxFull, false, 0}},
		{"code alone", bounce("5.1.1"), gone},
		{"put off", bounce("450 4.2.0 Greylisted, please try again later"), nothing(SaysTemporary)},
		{"no such user, for now", bounce("450 4.1.1 User unknown in local recipient table"), nothing(SaysTemporary)},
		{"still tried", delayed(bounce(unknownUser)), nothing(SaysTemporary)},
		{"spam", bounce("550 5.7.1 Message content rejected as spam"), nothing(SaysBlocked)},
		{"source on a block list", bounce("550 5.7.1 blocked using zen.spamhaus.org"), nothing(SaysBlocked)},
		{"sender refused", bounce("550 5.7.1 <x@example.net>: Sender address rejected: SPF fail"), nothing(SaysBlocked)},
		{"relaying denied", bounce("550 5.7.1 Relaying denied"), nothing(SaysUnclear)},
		{"no DNS at the sender's", bounce("550 5.1.2 Host unknown"), nothing(SaysUnclear)},
		{"no route", bounce("550 5.4.4 Unable to route"), nothing(SaysUnclear)},
		{"no reply", bounce(""), nothing(SaysUnclear)},
		{"words without a code", bounce("it did not work"), nothing(SaysUnclear)},
		{"failed, and no more", bounce("5.0.0"), nothing(SaysUnclear)},
		{"forwarded", elsewhere(bounce(unknownUser)), nothing(SaysElsewhere)},
		{"forwarded, delivered", elsewhere(delivered()), Judgement{Says: SaysDelivered, Effect: EffectRemembered, Reason: verdict.MailboxAccepted}},

		// What is remembered.
		{"bounce of an acceptance", bounce(unknownUser).knowing(verdict.MailboxAccepted, 4*day), Judgement{SaysRefused, EffectCorrected, verdict.MailboxNotFound, false, CountBounced}},
		{"bounce of a refusal", bounce(unknownUser).knowing(verdict.MailboxNotFound, time.Hour), Judgement{SaysRefused, EffectConfirmed, verdict.MailboxNotFound, false, 0}},
		{"bounce, other refusal", bounce(unknownUser).knowing(verdict.MailboxDisabled, time.Hour), Judgement{SaysRefused, EffectConfirmed, verdict.MailboxNotFound, false, 0}},
		{"delivered, accepted", delivered().knowing(verdict.MailboxAccepted, time.Hour), Judgement{SaysDelivered, EffectConfirmed, verdict.MailboxAccepted, false, CountDelivered}},
		{"delivered, busy", delivered().knowing(verdict.MailboxBusy, time.Hour), Judgement{SaysDelivered, EffectConfirmed, verdict.MailboxAccepted, false, CountDelivered}},
		{"delivered, catch-all", delivered().knowing(verdict.AcceptedCatchAll, time.Hour), Judgement{SaysDelivered, EffectConfirmed, verdict.MailboxAccepted, false, 0}},
		{"delivered, refused before", delivered().knowing(verdict.MailboxNotFound, time.Hour), Judgement{SaysDelivered, EffectCorrected, verdict.MailboxAccepted, false, 0}},
		{"delivered, refused since", delivered().knowing(verdict.MailboxNotFound, -5*time.Minute), Judgement{Says: SaysDelivered, Effect: EffectOutdated}},
		{"delivered, accepted since", delivered().knowing(verdict.AcceptedCatchAll, -5*time.Minute), Judgement{SaysDelivered, EffectConfirmed, verdict.MailboxAccepted, false, 0}},
		{"bounced, accepted since", bounce(unknownUser).knowing(verdict.MailboxAccepted, -5*time.Minute), Judgement{SaysRefused, EffectCorrected, verdict.MailboxNotFound, false, 0}},
		{"bounced last week, accepted since", bounce(unknownUser).knowing(verdict.MailboxAccepted, day).at(8 * day), Judgement{Says: SaysRefused, Effect: EffectOutdated}},
		{"full, accepted since", bounce("552 5.2.2 Mailbox over quota").knowing(verdict.MailboxAccepted, -5*time.Minute), Judgement{Says: SaysFull, Effect: EffectOutdated}},
		{"full, accepted before", bounce("552 5.2.2 Mailbox over quota").knowing(verdict.MailboxAccepted, time.Hour), Judgement{SaysFull, EffectCorrected, verdict.MailboxFull, false, 0}},
		{"older than the window", bounce(unknownUser).at(31 * day), Judgement{Says: SaysRefused, Effect: EffectOutdated}},
		{"within the window", bounce(unknownUser).at(29 * day), gone},
		{"spam says nothing of an acceptance", bounce("550 5.7.1 Message content rejected as spam").knowing(verdict.MailboxAccepted, time.Hour), nothing(SaysBlocked)},

		// Who says so.
		{"the same again", bounce(unknownUser).knowing(verdict.MailboxNotFound, time.Minute).reported("shop"), Judgement{Says: SaysRefused, Effect: EffectDuplicate}},
		{"the same later", bounce(unknownUser).knowing(verdict.MailboxNotFound, time.Hour).reported("shop"), Judgement{SaysRefused, EffectConfirmed, verdict.MailboxNotFound, false, 0}},
		{"the same of another", bounce(unknownUser).knowing(verdict.MailboxNotFound, time.Minute).reported("news"), Judgement{SaysRefused, EffectConfirmed, verdict.MailboxNotFound, false, 0}},
		{"another's delivery", bounce(unknownUser).knowing(verdict.MailboxAccepted, time.Hour).reported("news"), Judgement{Says: SaysRefused, Effect: EffectContested}},
		{"another's bounce", delivered().knowing(verdict.MailboxNotFound, time.Hour).reported("news"), Judgement{Says: SaysDelivered, Effect: EffectContested}},
		{"another's delivery long ago", bounce(unknownUser).knowing(verdict.MailboxAccepted, 9*day).reported("news"), Judgement{SaysRefused, EffectCorrected, verdict.MailboxNotFound, false, 0}},
		{"one's own delivery", bounce(unknownUser).knowing(verdict.MailboxAccepted, time.Hour).reported("shop"), Judgement{SaysRefused, EffectCorrected, verdict.MailboxNotFound, false, 0}},
		{"one's own later delivery", bounce(unknownUser).knowing(verdict.MailboxAccepted, -5*time.Minute).reported("shop"), Judgement{Says: SaysRefused, Effect: EffectOutdated}},
		{"full after another's delivery", bounce("552 5.2.2 Mailbox over quota").knowing(verdict.MailboxAccepted, time.Hour).reported("news"), Judgement{SaysFull, EffectCorrected, verdict.MailboxFull, false, 0}},

		// Domains.
		{"accepted, then bounced", bounce(unknownUser).knowing(verdict.MailboxAccepted, time.Hour), Judgement{SaysRefused, EffectCorrected, verdict.MailboxNotFound, true, CountBounced}},
		{"within the same second", bounce(unknownUser).knowing(verdict.MailboxAccepted, 59*time.Second), Judgement{SaysRefused, EffectCorrected, verdict.MailboxNotFound, true, CountBounced}},
		{"though it refuses made-up names", refuses(bounce(unknownUser).knowing(verdict.MailboxAccepted, time.Hour)), Judgement{SaysRefused, EffectCorrected, verdict.MailboxNotFound, true, CountBounced}},
		{"untested, then bounced", bounce(unknownUser).knowing(verdict.AcceptedUntested, time.Hour), Judgement{SaysRefused, EffectCorrected, verdict.MailboxNotFound, true, 0}},
		{"catch-all already", catchAll(bounce(unknownUser).knowing(verdict.AcceptedCatchAll, time.Hour)), Judgement{SaysRefused, EffectCorrected, verdict.MailboxNotFound, false, 0}},
		{"days after the acceptance", bounce(unknownUser).knowing(verdict.MailboxAccepted, 73*time.Hour), Judgement{SaysRefused, EffectCorrected, verdict.MailboxNotFound, false, CountBounced}},
		{"a consumer provider's domain", closed(bounce(unknownUser).knowing(verdict.MailboxAccepted, time.Hour)), Judgement{SaysRefused, EffectCorrected, verdict.MailboxNotFound, false, CountBounced}},
		{"disabled is not unknown", bounce("550 5.2.1 The email account is disabled").knowing(verdict.MailboxAccepted, time.Hour), Judgement{SaysRefused, EffectCorrected, verdict.MailboxDisabled, false, CountBounced}},
		{"moved is not unknown", bounce("551 5.1.6 User has moved, please try <bob@example.net>").knowing(verdict.MailboxAccepted, time.Hour), Judgement{SaysRefused, EffectCorrected, verdict.MailboxMoved, false, CountBounced}},
		{"busy is not accepted", bounce(unknownUser).knowing(verdict.MailboxBusy, time.Hour), Judgement{SaysRefused, EffectCorrected, verdict.MailboxNotFound, false, CountBounced}},
		{"reported delivered is not accepted", bounce(unknownUser).knowing(verdict.MailboxAccepted, time.Hour).reported("shop"), Judgement{SaysRefused, EffectCorrected, verdict.MailboxNotFound, false, 0}},

		// What is measured.
		{"answered risky", answered(delivered().knowing(verdict.MailboxAccepted, time.Hour), verdict.RoleAddress), Judgement{SaysDelivered, EffectConfirmed, verdict.MailboxAccepted, false, 0}},
		{"answered after it was sent", delivered().knowing(verdict.MailboxAccepted, -5*time.Minute), Judgement{SaysDelivered, EffectConfirmed, verdict.MailboxAccepted, false, 0}},
		{"counted once", delivered().knowing(verdict.MailboxAccepted, time.Hour).reported("shop"), Judgement{SaysDelivered, EffectConfirmed, verdict.MailboxAccepted, false, 0}},
		{"full is neither", bounce("552 5.2.2 Mailbox over quota").knowing(verdict.MailboxAccepted, 4*day), Judgement{SaysFull, EffectCorrected, verdict.MailboxFull, false, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Judge(tt.facts); got != tt.want {
				t.Errorf("Judge() = %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestJudgeNeverGuesses holds every judgement to the laws, whatever was remembered and said.
func TestJudgeNeverGuesses(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	texts := []string{
		unknownUser, "550 5.7.1 blocked using zen.spamhaus.org", "552 5.2.2 over quota", "450 4.2.0 later", "421 4.7.0 too many", "", "5.1.1",
		"554 5.7.1 spam", "550 5.2.1 disabled", "550 5.1.2 host unknown", "250 2.0.0 OK", "550 5.1.8 sender rejected", "521 5.3.2 no mail here",
	}
	reasons := append(verdict.Reasons(), "")
	for range 20000 {
		f := bounce(texts[rng.IntN(len(texts))])
		f.Outcome = []Outcome{Delivered, Bounced, Delayed}[rng.IntN(3)]
		f.At = now.Add(time.Duration(rng.Int64N(int64(40*day))) * -1)
		f.Elsewhere, f.Closed, f.Habit = rng.IntN(8) == 0, rng.IntN(8) == 0, verdict.Tri(rng.IntN(3)-1)
		if r := reasons[rng.IntN(len(reasons))]; r.OfMailbox() {
			f = f.knowing(r, time.Duration(rng.Int64N(int64(40*day))))
		}
		if rng.IntN(3) == 0 {
			f = f.reported([]string{"shop", "news"}[rng.IntN(2)])
		}
		j := Judge(f)
		switch {
		case j.Reason != "" && !j.Reason.OfMailbox():
			t.Fatalf("Judge(%+v) = %+v: the reason may not be remembered of a mailbox", f, j)
		case j.Reason.IsRefusal() && (f.Outcome != Bounced || f.Code/100 != 5 || f.Meaning.Scope != reply.ScopeMailbox):
			t.Fatalf("Judge(%+v) = %+v: a refusal without one", f, j)
		case j.Reason.IsAcceptance() && f.Outcome != Delivered:
			t.Fatalf("Judge(%+v) = %+v: an acceptance of what was not delivered", f, j)
		case j.Expose && (f.Closed || f.Meaning.Class != reply.NoSuchMailbox || !f.Mailbox.Reason.IsAcceptance() || f.last() != nil):
			t.Fatalf("Judge(%+v) = %+v: a domain exposed without cause", f, j)
		case (j.Reason != "") != (j.Effect == EffectRemembered || j.Effect == EffectConfirmed || j.Effect == EffectCorrected):
			t.Fatalf("Judge(%+v) = %+v: what is remembered and the effect disagree", f, j)
		case f.Now.Sub(f.At) > Window && (j.Reason != "" || j.Count != CountNothing):
			t.Fatalf("Judge(%+v) = %+v: an old report counts", f, j)
		}
	}
}
