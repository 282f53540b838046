package feedback

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"strings"
	"time"

	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify/address"
)

// Bounds of a DSN.
const (
	MaxMessage    = 4 << 20  // Bytes of a message that are read: the status stands before the returned message.
	MaxRecipients = 1000     // Recipients of one DSN.
	maxStatus     = 1 << 20  // Bytes of the status part.
	maxField      = 16 << 10 // Bytes of one field of it, unfolded.
)

var (
	// ErrNotDSN is wrapped by the error for a message that is no delivery status notification.
	ErrNotDSN = errors.New("feedback: no delivery status notification (RFC 3464)")
	// ErrTooLarge is wrapped by the error for a DSN beyond the bounds.
	ErrTooLarge = errors.New("feedback: delivery status notification too large")
)

// ParseDSN reads a message that is a delivery status notification, RFC 3464 and RFC 6533, and returns one report for each
// recipient that it tells something of. Recipients whose mail was relayed or expanded are left out: what became of it
// there is not known. The error wraps ErrNotDSN, ErrTooLarge, or is r's own.
//
// A report is about the address that the mail was sent to (Original-Recipient), where the notification has it; if
// that is another one than the one that bounced, it is marked Elsewhere.
func ParseDSN(r io.Reader) ([]Report, error) {
	limited := &io.LimitedReader{R: r, N: MaxMessage}
	msg, err := mail.ReadMessage(bufio.NewReader(limited))
	if err != nil {
		return nil, notDSN(err)
	}
	status, err := findStatus(msg.Header.Get("Content-Type"), msg.Header.Get("Content-Transfer-Encoding"), msg.Body)
	if err != nil {
		return nil, notDSN(err)
	}
	sent, _ := msg.Header.Date() // Zero if there is none.
	return readStatus(status, sent)
}

// notDSN keeps the two errors of this package, and makes any other one ErrNotDSN: what can't be read as a message is none.
func notDSN(err error) error {
	if errors.Is(err, ErrNotDSN) || errors.Is(err, ErrTooLarge) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotDSN, err)
}

// readStatus reads the content of a message/delivery-status: a group of fields about the message, then one for each
// recipient, RFC 3464 §2.1.
func readStatus(content []byte, sent time.Time) ([]Report, error) {
	groups := fieldGroups(content)
	if len(groups) < 2 {
		return nil, fmt.Errorf("%w: its status names no recipient", ErrNotDSN)
	}
	if len(groups) > MaxRecipients+1 {
		return nil, fmt.Errorf("%w: %d recipients, at most %d are taken", ErrTooLarge, len(groups)-1, MaxRecipients)
	}
	reports := make([]Report, 0, len(groups)-1)
	for _, g := range groups[1:] {
		if r, ok := g.report(sent); ok {
			reports = append(reports, r)
		}
	}
	return reports, nil
}

// report is what a group tells of its recipient; ok is false if that is nothing.
func (g fields) report(sent time.Time) (r Report, ok bool) {
	switch strings.ToLower(firstWord(g["action"])) {
	case "failed":
		r.Outcome = Bounced
	case "delivered":
		r.Outcome = Delivered
	case "delayed":
		r.Outcome = Delayed
	default: // Relayed, expanded, or none of RFC 3464 §2.3.3.
		return r, false
	}
	r.Email, r.Elsewhere = g.recipient()
	if r.Email == "" {
		return r, false
	}
	r.At = sent
	if at, err := mail.ParseDate(g["last-attempt-date"]); err == nil {
		r.At = at
	}
	if r.Outcome != Delivered {
		r.Code, r.Enhanced, r.Text = g.said()
	}
	return r, r.Check() == nil
}

// recipient is the address that the mail was sent to. elsewhere says that another one bounced.
func (g fields) recipient() (email string, elsewhere bool) {
	final, original := typedAddress(g["final-recipient"]), typedAddress(g["original-recipient"])
	if original == "" {
		return final, false
	}
	a, err := address.Parse(original)
	if err != nil {
		return final, false
	}
	b, err := address.Parse(final)
	return original, err == nil && !sameMailbox(a, b)
}

// sameMailbox reports whether two addresses differ in nothing but the case of their local-parts, which some servers
// change.
func sameMailbox(a, b address.Address) bool {
	return a.Domain() == b.Domain() && strings.EqualFold(a.LocalPart(), b.LocalPart())
}

// said is the reply in a group. What the server said in the diagnostic is nearer to the truth than the status, which
// many leave at 5.0.0.
func (g fields) said() (code int, enhanced, text string) {
	_, text = cutType(g["diagnostic-code"])
	status := firstWord(g["status"])
	parsed := reply.ParseReply(0, "", text)
	switch {
	case parsed.Enhanced != (smtp.EnhancedCode{}):
		return parsed.Code, "", text
	case validStatus(status):
		return parsed.Code, status, text
	}
	return parsed.Code, "", text
}

func validStatus(s string) bool {
	return reply.ParseReply(0, s, "").Enhanced != (smtp.EnhancedCode{})
}

// typedAddress is the address of a field such as "rfc822; ada@example.com" or "utf-8; jörg@example.com".
func typedAddress(value string) string {
	kind, value := cutType(value)
	switch strings.ToLower(kind) {
	case "", "rfc822":
	case "utf-8":
		value = unicodeAddress(value)
	default:
		return ""
	}
	value = strings.TrimSpace(value)
	if strings.HasPrefix(value, "<") && strings.HasSuffix(value, ">") {
		value = value[1 : len(value)-1]
	}
	return value
}

// cutType cuts the type off a field such as "smtp; 550 5.1.1 User unknown"; "" if there is none.
func cutType(value string) (kind, rest string) {
	kind, rest, ok := strings.Cut(value, ";")
	if kind = strings.TrimSpace(kind); !ok || strings.ContainsAny(kind, " @<\"") {
		return "", strings.TrimSpace(value)
	}
	return kind, strings.TrimSpace(rest)
}

// firstWord is value up to the first blank or comment.
func firstWord(value string) string {
	if i := strings.IndexAny(value, " \t(;"); i >= 0 {
		return value[:i]
	}
	return value
}
