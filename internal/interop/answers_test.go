//go:build interop

package interop

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// A question is one row of a server's table: whom we ask about, and what must come of it.
type question struct {
	name  string // What the recipient is to its server.
	email string
	want  string // verdict/reason/subject; several that are all right are separated by " or ".
}

// askTimeout bounds one question: servers slow down for strangers who err, so some take a while, and longer on a busy
// machine.
const askTimeout = 3 * time.Minute

// askAll asks everything at once, as many applications would, by GET and POST in turn; it checks the answers and returns
// them in the order of the questions.
func askAll(t *testing.T, d *daemon, questions []question) []apitype.Answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), askTimeout)
	defer cancel()
	answers := make([]apitype.Answer, len(questions))
	errs := make([]error, len(questions))
	var wg sync.WaitGroup
	for i, q := range questions {
		wg.Go(func() {
			if i%2 == 0 {
				answers[i], errs[i] = d.get(ctx, q.email)
			} else {
				answers[i], errs[i] = d.post(ctx, apitype.VerifyRequest{Email: q.email, Deadline: askTimeout.String()})
			}
		})
	}
	wg.Wait()
	for i, q := range questions {
		if errs[i] != nil {
			t.Errorf("%s: verify(%q): %v", q.name, q.email, errs[i])
			continue
		}
		if got := outcome(&answers[i]); !slices.Contains(strings.Split(q.want, " or "), got) {
			t.Errorf("%s: verify(%q) = %s, want %s\n%s", q.name, q.email, got, q.want, describe(&answers[i]))
		}
	}
	return answers
}

// checkTLS holds that every reply to a recipient came over TLS of that version, or in clear if it is "".
func checkTLS(t *testing.T, answers []apitype.Answer, want string) {
	t.Helper()
	for i := range answers {
		for _, e := range answers[i].Evidence {
			if e.Stage == "rcpt" && e.TLS != want {
				t.Errorf("verify(%q).evidence[].tls = %q, want %q", answers[i].Email, e.TLS, want)
			}
		}
	}
}

// outcome is what a question wants: verdict/reason/subject.
func outcome(a *apitype.Answer) string { return a.Verdict + "/" + a.Reason + "/" + a.Subject }

// describe prints an answer's evidence and its dialogue.
func describe(a *apitype.Answer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s accept_all=%s retry_at=%v took=%dms\n", a.Explanation, a.AcceptAll, a.RetryAt, a.TookMS)
	for _, e := range a.Evidence {
		fmt.Fprintf(&b, "  %s control=%t %d %s %s (class %s, scope %s, rule %s)\n", e.Stage, e.Control, e.Code, e.Enhanced, e.Text, e.Class, e.Scope, e.Rule)
		for _, l := range e.Dialogue {
			fmt.Fprintf(&b, "    %s %s %s\n", l.At.Format("05.000"), l.From, l.Text)
		}
	}
	return b.String()
}
