package pool

import (
	"slices"
	"testing"
	"time"

	"github.com/verimails/verimaild/pool/budget"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

func TestWhatCountsAsDead(t *testing.T) {
	for _, test := range []struct {
		code  int
		class reply.Class
		want  bool
	}{
		{550, reply.NoSuchMailbox, true},
		{450, reply.NoSuchMailbox, true},
		{450, reply.MailboxDisabled, true},
		{250, reply.Accepted, false},
		{252, reply.CannotVerify, false},
		{552, reply.MailboxFull, false},
		{550, reply.SourceBlocked, false},
		{553, reply.SenderRefused, false},
		{550, reply.RateLimited, false},
		{550, reply.Greylisted, false},
		{550, reply.TemporaryFailure, false},
		{550, reply.PolicyRefused, true},
		{450, reply.PolicyRefused, false},
		{500, reply.Other, true},
		{499, reply.Other, false},
		{553, reply.AddressSyntax, true},
		{550, reply.DomainNotHere, true},
	} {
		r := sentReply{reply: smtp.Reply{Code: test.code}, meaning: reply.Meaning{Class: test.class}}
		if got := isDead(&r); got != test.want {
			t.Errorf("isDead(%d %s) = %v, want %v", test.code, test.class, got, test.want)
		}
	}
}

func TestGrudges(t *testing.T) {
	for _, test := range []struct {
		stage smtp.Stage
		code  int
		class reply.Class
		scope reply.Scope
		want  grudge
	}{
		{smtp.StageRCPT, 550, reply.SourceBlocked, reply.ScopeSourceSite, hardGrudge},
		{smtp.StageConnect, 554, reply.SourceBlocked, reply.ScopeSource, hardGrudge},
		{smtp.StageRCPT, 550, reply.SenderRefused, reply.ScopeSite, hardGrudge},
		{smtp.StageRCPT, 550, reply.SourceBlocked, reply.ScopeMailbox, noGrudge},
		{smtp.StageRCPT, 450, reply.RateLimited, reply.ScopeSession, noGrudge},
		{smtp.StageRCPT, 450, reply.RateLimited, reply.ScopeDomain, noGrudge},
		{smtp.StageRCPT, 450, reply.RateLimited, reply.ScopeSourceSite, softGrudge},
		{smtp.StageMAIL, 450, reply.RateLimited, reply.ScopeSourceSite, softGrudge},
		{smtp.StageMAIL, 553, reply.SenderRefused, reply.ScopeSender, hardGrudge},
		{smtp.StageMAIL, 500, reply.SenderRefused, reply.ScopeSender, hardGrudge},
		{smtp.StageMAIL, 451, reply.SenderRefused, reply.ScopeSender, noGrudge},
		{smtp.StageRCPT, 553, reply.SenderRefused, reply.ScopeSender, noGrudge},
		{smtp.StageMAIL, 553, reply.PolicyRefused, reply.ScopeSender, noGrudge},
		{smtp.StageMAIL, 550, reply.PolicyRefused, reply.ScopeSourceSite, hardGrudge},
		{smtp.StageRCPT, 550, reply.PolicyRefused, reply.ScopeSourceSite, softGrudge},
		{smtp.StageMAIL, 451, reply.TemporaryFailure, reply.ScopeSite, softGrudge},
		{smtp.StageRCPT, 451, reply.TemporaryFailure, reply.ScopeSite, noGrudge},
		{smtp.StageConnect, 421, reply.Other, reply.ScopeSite, softGrudge},
		{smtp.StageRCPT, 550, reply.Other, reply.ScopeSite, noGrudge},
		{smtp.StageMAIL, 450, reply.Greylisted, reply.ScopeSite, noGrudge},
	} {
		o := Outcome{Stage: test.stage, Reply: smtp.Reply{Code: test.code}, Meaning: reply.Meaning{Class: test.class, Scope: test.scope}}
		if got := grudgeOf(&o); got != test.want {
			t.Errorf("grudgeOf(%s %d %s, %s) = %d, want %d", test.stage, test.code, test.class, test.scope, got, test.want)
		}
	}
}

func refusedAt(stage smtp.Stage, class reply.Class, scope reply.Scope) *Outcome {
	return &Outcome{Stage: stage, Reply: smtp.Reply{Code: 550}, Meaning: reply.Meaning{Class: class, Scope: scope}}
}

// One domain's, or one recipient's, word is not the site's: three in a row are.
func TestBlocksAtRCPT(t *testing.T) {
	blocked := func() *Outcome { return refusedAt(smtp.StageRCPT, reply.PolicyRefused, reply.ScopeSourceSite) }
	hard := func() *Outcome { return refusedAt(smtp.StageRCPT, reply.SenderRefused, reply.ScopeSite) }
	_, pa := bareSite()
	for i := range mostBlocks {
		if pa.breaker.Opened {
			t.Fatalf("the breaker opened after %d", i)
		}
		pa.blame(hard())
	}
	if !pa.breaker.Opened {
		t.Errorf("the breaker is closed after %d", mostBlocks)
	}
	_, pa = bareSite()
	for _, o := range []*Outcome{hard(), hard(), refusedAt(smtp.StageRCPT, reply.NoSuchMailbox, reply.ScopeMailbox), hard(), hard()} {
		pa.blame(o)
	}
	if pa.breaker.Opened {
		t.Error("the breaker opened, though an answer about a mailbox came between")
	}
	_, pa = bareSite()
	for _, o := range []*Outcome{hard(), hard(), refusedAt(smtp.StageMAIL, reply.Other, reply.ScopeMailbox), refusedAt(smtp.StageRCPT, reply.Other, reply.ScopeDomain), hard()} {
		pa.blame(o)
	}
	if !pa.breaker.Opened {
		t.Error("the breaker is closed, though no recipient was answered between")
	}
	_, pa = bareSite()
	if pa.blame(refusedAt(smtp.StageMAIL, reply.SenderRefused, reply.ScopeSite)); !pa.breaker.Opened {
		t.Error("the breaker is closed after a refusal at MAIL")
	}
	_, pa = bareSite()
	harvest := hard()
	harvest.Meaning.Detail = reply.DetailHarvest
	if pa.blame(harvest); !pa.breaker.Opened || pa.roomFor(pa.pool.now(), pa.prefix()).targets != 0 {
		t.Error("the receiver counts unknown recipients, and the breaker is closed, or something of the hour is left")
	}
	_, pa = bareSite()
	pa.pool.opts.Forgiving = true
	if pa.blame(refusedAt(smtp.StageMAIL, reply.SenderRefused, reply.ScopeSite)); pa.breaker.Opened {
		t.Error("a forgiving pool has opened a breaker")
	}
	_, pa = bareSite()
	for range 3 {
		pa.blame(blocked())
	}
	if pa.breaker.Opened || pa.perMinute() != 2.5 {
		t.Errorf("three soft refusals of one moment: open %v, %v a minute, want false and 2.5", pa.breaker.Opened, pa.perMinute())
	}
}

// A receiver that says when to come back is taken at its word, also while the breaker is open.
func TestTimeToComeBack(t *testing.T) {
	s, pa := bareSite()
	limited := refusedAt(smtp.StageRCPT, reply.RateLimited, reply.ScopeSourceSite)
	limited.Meaning.Retry = 2 * time.Hour
	now := s.pool.now()
	pa.soft(now, limited)
	if !pa.breaker.Opened || pa.breaker.Until != now+2*time.Hour || !limited.RetryAt.Equal(s.pool.wall(now+2*time.Hour)) {
		t.Errorf("told two hours: open %v for %v, retry at %v", pa.breaker.Opened, pa.breaker.Until-now, limited.RetryAt)
	}
	longer := refusedAt(smtp.StageRCPT, reply.SenderRefused, reply.ScopeSite)
	longer.Meaning.Retry = 3 * time.Hour
	pa.hard(now, longer)
	if pa.breaker.Until != now+3*time.Hour || pa.breaker.Opens != 1 || !longer.RetryAt.Equal(s.pool.wall(now+3*time.Hour)) {
		t.Errorf("told three hours meanwhile: open for %v, %d times", pa.breaker.Until-now, pa.breaker.Opens)
	}
	shorter := refusedAt(smtp.StageRCPT, reply.SenderRefused, reply.ScopeSite)
	shorter.Meaning.Retry = time.Minute
	if pa.hard(now, shorter); pa.breaker.Until != now+3*time.Hour {
		t.Errorf("told a minute meanwhile: open for %v", pa.breaker.Until-now)
	}

	_, pa = bareSite()
	silent := refusedAt(smtp.StageRCPT, reply.RateLimited, reply.ScopeSourceSite)
	for i := range 3 {
		if pa.breaker.Opened {
			t.Errorf("limited by one who does not say when, the breaker opened after %d times", i)
		}
		pa.soft(now+time.Duration(i)*time.Minute, silent)
	}
	if !pa.breaker.Opened {
		t.Error("limited three times in a row, and the breaker is closed")
	}

	_, pa = bareSite()
	trouble := refusedAt(smtp.StageMAIL, reply.TemporaryFailure, reply.ScopeSite)
	trouble.Meaning.Retry = 2 * time.Hour
	if pa.soft(now, trouble); pa.breaker.Opened {
		t.Error("a site in trouble that says when is taken for one that limits us")
	}
	for i := range 2 {
		pa.soft(now+time.Duration(i+1)*time.Minute, trouble)
	}
	if until := pa.breaker.Until - now; !pa.breaker.Opened || until > 20*time.Minute || pa.refusal == nil {
		t.Errorf("the third time in a row: open %v for %v, refusal %v", pa.breaker.Opened, until, pa.refusal)
	}
}

// What others are shown of a refusal does not name the recipient that it was given for.
func TestAnonymize(t *testing.T) {
	for _, test := range []struct{ name, path, text, want string }{
		{"named once", "ada@a.test", "<ada@a.test>: go away", "<(recipient)>: go away"},
		{"named twice, in another case", "Ada@a.test", "ada@A.test ADA@a.test!", "(recipient) (recipient)!"},
		{"at the very front", "ada@a.test", "ada@a.test", "(recipient)"},
		{"capitals at both ends of the alphabet", "az@a.test", "AZ@A.TEST", "(recipient)"},
		{"other octets stay", "ada@a.test", "[ada@a.test] @`{", "[(recipient)] @`{"},
		{"not named", "ada@a.test", "Go away", "Go away"},
		{"no recipient", "", "Go away", "Go away"},
	} {
		o := Outcome{Recipient: Recipient{Path: test.path}, Reply: smtp.Reply{Code: 550, Lines: []string{test.text}}}
		o.anonymize()
		if got := o.Reply.Text(); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	lines := []string{"one", "two"}
	o := Outcome{Recipient: Recipient{Path: "x@a.test"}, Reply: smtp.Reply{Code: 550, Lines: lines}}
	if o.anonymize(); !slices.Equal(o.Reply.Lines, lines) {
		t.Errorf("lines that name nobody became %q", o.Reply.Lines)
	}
}

// An open breaker answers; a path that is being tried again does not begin with the recipient it was refused for.
func TestWhatAPathThatWasRefusedAnswers(t *testing.T) {
	const now = 48 * time.Hour
	for _, test := range []struct {
		name    string
		breaker budget.Breaker
		stage   smtp.Stage
		path    string
		want    bool
		retry   time.Duration // From now; 0 leaves it as it was.
	}{
		{"open", budget.Breaker{Opened: true, Until: now + 1}, smtp.StageMAIL, "bob@a.test", true, 0},
		{"half open, another", budget.Breaker{Opened: true, Until: now}, smtp.StageRCPT, "bob@a.test", false, 0},
		{"half open, the same", budget.Breaker{Opened: true, Until: now}, smtp.StageRCPT, "ada@a.test", true, trickle},
		{"half open, the same, for what was refused at MAIL", budget.Breaker{Opened: true, Until: now}, smtp.StageMAIL, "ada@a.test", false, 0},
		{"on probation, the same", budget.Breaker{Tried: true}, smtp.StageRCPT, "ada@a.test", true, trickle},
		{"closed, the same", budget.Breaker{}, smtp.StageRCPT, "ada@a.test", false, 0},
	} {
		s, pa := bareSite()
		kept := &Outcome{Stage: test.stage, Recipient: Recipient{Path: "ada@a.test"}}
		pa.refusal, pa.breaker = kept, test.breaker
		o := pa.refused(now, test.path)
		if got := o != nil; got != test.want {
			t.Errorf("%s: refused() = %v, want an answer = %v", test.name, o, test.want)
			continue
		}
		if test.retry > 0 && !o.RetryAt.Equal(s.pool.wall(now+test.retry)) {
			t.Errorf("%s: to be retried at %v, want %v", test.name, o.RetryAt, s.pool.wall(now+test.retry))
		}
		if !kept.RetryAt.IsZero() {
			t.Errorf("%s: what is kept was changed", test.name)
		}
		if pa.refusal = nil; pa.refused(now, test.path) != nil {
			t.Errorf("%s: a path that nobody has refused answers", test.name)
		}
	}
}

// A receiver that has counted enough is asked about nobody for an hour, and nothing is booked where nothing is limited.
func TestExhaust(t *testing.T) {
	s, pa := bareSite()
	now := s.pool.now()
	pa.spend(now, pa.prefix(), false, true)
	pa.exhaust(now)
	if got := s.accounts[pa.prefix()].dead.Spent(now); got != 15 {
		t.Errorf("%d are spent, want all 15", got)
	}
	pa.exhaust(now)
	if got := s.accounts[pa.prefix()].dead.Spent(now); got != 15 {
		t.Errorf("%d are spent after the second time, want 15", got)
	}
	s, pa = bareSite()
	s.limits.RefusalsPerHour = 0
	if pa.exhaust(now); s.accounts[pa.prefix()].dead.Spent(now) != 0 {
		t.Error("something is spent where nothing is limited")
	}
}

// Two flights in a row that drag mean the path, one the session.
func TestDrags(t *testing.T) {
	_, pa := bareSite()
	for range 20 {
		pa.pace.odd(10 * time.Millisecond)
	}
	s := &session{lane: &lane{path: pa}}
	for i, test := range []struct {
		took     time.Duration
		retiring bool
		slowed   bool
	}{
		{10 * time.Millisecond, false, false},
		{time.Minute, true, false},
		{10 * time.Millisecond, false, false},
		{time.Minute, true, false},
		{time.Minute, true, true},
	} {
		s.retiring = false
		s.drags(test.took)
		if slowed := pa.slowedAt > 0; s.retiring != test.retiring || slowed != test.slowed {
			t.Errorf("flight %d of %v: retiring %v, slowed %v, want %v, %v", i, test.took, s.retiring, slowed, test.retiring, test.slowed)
		}
	}
}
