package verify

import (
	"fmt"
	"strings"
	"time"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// Remembered is the reason that is answered for a from memory just now, the policy applied; "" if memory has no answer.
// Nobody is asked, then or behind it.
func (v *Verifier) Remembered(a address.Address) verdict.Reason {
	ans, _ := v.recall(v.memory.Again(), &Request{Depth: DepthSMTP, MaxAge: -1}, a, v.inForce())
	if ans == nil {
		return ""
	}
	return ans.Reason
}

// explainReport gives an answer that rests on a report its own sentence: the reason's says what a server told us.
func explainReport(ans *verdict.Answer) {
	r := verdict.Reported(ans.Evidence)
	if r == nil || ans.Explanation != "" {
		return
	}
	day := r.At.UTC().Format(time.DateOnly)
	switch {
	case ans.Reason == verdict.AcceptedCatchAll:
		ans.Explanation = fmt.Sprintf("The mail server accepted a recipient of this domain that does not exist: the mail bounced afterwards, "+
			"as application %s reported on %s. So an acceptance says nothing about this one.", r.Source, day)
	case ans.Reason.IsAcceptance():
		ans.Explanation = fmt.Sprintf("Mail to this address has arrived, as application %s reported on %s.", r.Source, day)
	case ans.Reason.IsRefusal():
		ans.Explanation = fmt.Sprintf("Mail to this address bounced, as application %s reported on %s: %s. "+
			"That outranks what its server says to a question.", r.Source, day, bounceText(r))
	}
}

// bounceText is the bounce in a few words.
func bounceText(r *verdict.Evidence) string {
	const most = 200
	s := fmt.Sprintf("%d %s %s", r.Code, r.Enhanced, r.Text)
	if r.Enhanced == "" {
		s = fmt.Sprintf("%d %s", r.Code, r.Text)
	}
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// outlasts reports whether what is remembered answers those too who want it asked afresh: a real message bounced a little
// while ago, and a question would not see why.
func outlasts(m *verdict.Mailbox, f verdict.Freshness) bool {
	return f == verdict.Fresh && m.Reason.IsRefusal() && verdict.Reported(m.Evidence) != nil
}
