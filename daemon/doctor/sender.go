package doctor

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

// sender looks whether the sender and its postmaster take mail: servers call back to see, and people write there. The
// daemon asks, as for any address.
func (x *exam) sender(ctx context.Context, r running) []Finding {
	if x.Config == nil || x.Config.Egress.Sender == "" || x.faulty("egress.sender") {
		return nil
	}
	ask := x.Verify
	if r.answers {
		c := client.Client{Socket: x.Socket}
		defer c.CloseIdleConnections()
		ask = func(ctx context.Context, email string) (apitype.Answer, error) { return c.Verify(ctx, email) }
	}
	if ask == nil {
		return nil
	}
	sender := x.Config.Egress.Sender
	emails := []string{sender, "postmaster" + sender[strings.LastIndexByte(sender, '@'):]}
	checks := []string{"mailbox", "postmaster"}
	out := make([]Finding, len(emails))
	var wg sync.WaitGroup
	for i, email := range emails {
		wg.Go(func() {
			a, err := ask(ctx, email)
			out[i] = mailbox(email, &a, err)
			out[i].Subject, out[i].Check = email, checks[i]
		})
	}
	wg.Wait()
	return out
}

// mailbox is what follows from an answer about a mailbox of ours.
func mailbox(email string, a *apitype.Answer, err error) Finding {
	switch {
	case err != nil:
		return Finding{State: Unknown, Found: fmt.Sprintf("whether %s takes mail could not be asked: %v", email, err)}
	case a.Verdict == apitype.Undeliverable:
		return Finding{
			State: Warn, Found: fmt.Sprintf("%s takes no mail (%s)", email, a.Reason),
			Advice: "Make the mailbox, and read it: servers call back to see whether it exists, and people write there to complain.",
		}
	case a.Verdict == apitype.Unknown:
		return Finding{State: Unknown, Found: fmt.Sprintf("whether %s takes mail is not known (%s): %s", email, a.Reason, a.Explanation)}
	default:
		return Finding{State: OK, Found: email + " takes mail"}
	}
}
