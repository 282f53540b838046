// Package feedback reads reports of what became of real mail, and judges what they say of an address.
//
// A report is given in fields, or as a delivery status notification (DSN, RFC 3464). What a bounce means is read with
// the table that reads replies; what follows from it is decided by one pure function, [Judge]. Reports are hostile
// input: all of it is bounded, and nothing in a report can change what is known of any but the address it is about
// and, where a mailbox that was accepted bounced as unknown, of its domain.
package feedback

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// An Outcome is what became of a message.
type Outcome string

// The outcomes.
const (
	Delivered Outcome = "delivered" // It arrived: somebody acted on it, or no bounce came for as long as they take.
	Bounced   Outcome = "bounced"   // It was given up.
	Delayed   Outcome = "delayed"   // It is still tried.
)

// Bounds of a report.
const (
	MaxEmail = 1024 // Bytes of an address. No longer one can be valid.
	MaxText  = 4096 // Bytes of a bounce's text that are read; the rest is left out.
)

// A Report is what became of one message to one address.
type Report struct {
	Email    string
	Outcome  Outcome
	Code     int       // The reply code of a bounce, 200 to 599; 0 if it is not known by itself.
	Enhanced string    // The enhanced status code, RFC 3463; "" if it is not known by itself.
	Text     string    // The reply, as a server sends it or a DSN shows it; it may begin with both codes.
	At       time.Time // When it happened; zero is now.

	// Elsewhere says that the bounce is about another address that the mail was forwarded to.
	Elsewhere bool
}

// ErrReport is wrapped by the error of a report that makes no sense.
var ErrReport = errors.New("feedback: no report")

// Check finds what is wrong with r but for its address, and cuts a long text. Its error wraps ErrReport.
func (r *Report) Check() error {
	switch r.Outcome {
	case Delivered, Bounced, Delayed:
	default:
		return fmt.Errorf("%w: outcome %q: want delivered, bounced or delayed", ErrReport, clip(string(r.Outcome), 32))
	}
	switch {
	case r.Email == "":
		return fmt.Errorf("%w: no address", ErrReport)
	case len(r.Email) > MaxEmail:
		return fmt.Errorf("%w: an address of %d bytes", ErrReport, len(r.Email))
	case r.Code != 0 && (r.Code < 200 || r.Code > 599):
		return fmt.Errorf("%w: code %d: want 200 to 599", ErrReport, r.Code)
	case r.Outcome == Delivered && r.Code >= 400:
		return fmt.Errorf("%w: delivered, with the reply %d", ErrReport, r.Code)
	case r.Enhanced != "" && reply.ParseReply(0, r.Enhanced, "").Enhanced == (smtp.EnhancedCode{}):
		return fmt.Errorf("%w: enhanced %q: want a status code such as 5.1.1", ErrReport, clip(r.Enhanced, 32))
	}
	r.Text = clip(r.Text, MaxText)
	return nil
}

// Reply is the bounce as a reply; the zero Reply if r holds none.
func (r *Report) Reply() smtp.Reply {
	if r.Outcome == Delivered || r.Code == 0 && r.Enhanced == "" && r.Text == "" {
		return smtp.Reply{}
	}
	return reply.ParseReply(r.Code, r.Enhanced, r.Text)
}

// clip shortens s to n bytes at a character's end, and makes it UTF-8.
func clip(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
