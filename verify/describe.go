package verify

import (
	"time"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// describe begins an answer with what the address itself and the lists tell.
func (v *Verifier) describe(a address.Address) verdict.Answer {
	names := v.lists.Lookup(a)
	_, tagged := a.Tag()
	ans := verdict.Answer{
		Normalized: a.String(),
		Domain:     a.Domain().ASCII(),
		Stage:      string(DepthSyntax),
		AcceptAll:  verdict.AcceptAllNotTested,
		Flags: verdict.Flags{
			Disposable:   verdict.TriOf(names.Disposable),
			PrivacyRelay: verdict.TriOf(names.PrivacyRelay),
			Role:         verdict.TriOf(names.Role),
			FreeProvider: verdict.TriOf(names.FreeProvider),
			NoReply:      verdict.TriOf(names.NoReply),
			Subaddress:   verdict.TriOf(tagged),
			SMTPUTF8:     verdict.TriOf(a.NeedsSMTPUTF8()),
		},
	}
	if near, ok := v.suggestions.of(a.Domain()); ok {
		ans.DidYouMean = a.LocalPart() + "@" + near.Unicode()
	}
	return ans
}

// conclude applies the policy to a finished answer and fills in what follows from its reason.
func (v *Verifier) conclude(ans *verdict.Answer, p Policy) {
	if ans.Reason == verdict.MailboxAccepted {
		switch {
		case p.Disposable && ans.Flags.Disposable == verdict.True:
			ans.Reason = verdict.Disposable
		case p.PrivacyRelay && ans.Flags.PrivacyRelay == verdict.True:
			ans.Reason = verdict.PrivacyRelay
		case p.Role && ans.Flags.Role == verdict.True:
			ans.Reason = verdict.RoleAddress
		}
	}
	explainReport(ans)
	if ans.CheckedAt.IsZero() {
		ans.CheckedAt = v.now()
	}
	if ans.RetryAt.IsZero() {
		ans.RetryAt = retryAt(ans.Reason, nil, v.now())
	}
}

// invalid is the answer for what is no address.
func (v *Verifier) invalid(req *Request, err error, start time.Time) *verdict.Answer {
	now := v.now()
	return &verdict.Answer{
		Email: req.Email, Reason: verdict.InvalidSyntax, Explanation: "This is not a valid e-mail address: " + err.Error() + ".",
		Stage: string(DepthSyntax), AcceptAll: verdict.AcceptAllNotTested, CheckedAt: now, Took: now.Sub(start),
	}
}

// late is the answer at the deadline of a caller whose question is still under way.
func (v *Verifier) late(a address.Address, stage string) *verdict.Answer {
	ans := v.describe(a)
	ans.Reason, ans.Stage = verdict.DeadlineExceeded, stage
	ans.Explanation = verdict.DeadlineExceeded.Explanation() + " The question goes on; ask again for its answer."
	v.conclude(&ans, Policy{})
	return &ans
}

// detail appends what is known to a sentence.
func detail(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}
