// Package address parses and normalises e-mail addresses: RFC 5321 mailboxes, RFC 6531 local-parts, IDNA2008 domains.
//
// It accepts what may stand in an SMTP envelope and nothing else: no display name, no comment, no folding,
// no obsolete forms of RFC 5322. What it accepts it keeps in one canonical form, so that equal values are equal mailboxes
// and a value can be written to an SMTP line as it is.
package address

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Limits in octets.
const (
	maxLocal   = 64  // RFC 5321 §4.5.3.1.1.
	maxDomain  = 253 // RFC 1035 §2.3.4 allows 255 in wire form, which is 253 as text.
	maxLabel   = 63  // RFC 1035 §2.3.4.
	maxAddress = 254 // RFC 5321 §4.5.3.1.3: a path has 256, two of them are its angle brackets.

	// maxInput is more than any address can take: a U-label of UTF-8 is longer than its A-label, but not by more than this.
	// Whatever is longer is refused unread.
	maxInput = maxLocal + 1 + 4*maxDomain
)

// An Address is the mailbox of one envelope recipient. It is made by Parse only.
// Addresses may be compared with ==: equal addresses are the same mailbox as far as syntax can tell.
// The zero Address is no address.
type Address struct {
	text   string // The canonical form: local-part, "@", domain or literal.
	local  string // The local-part without quotes.
	domain Domain // Zero for a literal.
	ip     netip.Addr
}

// Parse returns the address that s spells. The error is a *SyntaxError.
//
// The whole of s must be the address. White space around it is an error that says so: whoever passes a line
// of a file or of a form should decide to trim it, as "ada@example.com " and "ada@example.com" are not the same request.
//
// An address literal such as ada@[192.0.2.1] is accepted, see IsLiteral.
func Parse(s string) (Address, error) {
	a, f := parse(s)
	if f != nil {
		return Address{}, newSyntaxError("address", s, f)
	}
	return a, nil
}

func parse(s string) (Address, *fault) {
	if f := checkWhole(s); f != nil {
		return Address{}, f
	}
	local, at, f := scanLocal(s)
	if f != nil {
		return Address{}, f
	}
	a := Address{local: local}
	rest := s[at+1:]
	var right string
	if strings.HasPrefix(rest, "[") {
		right, a.ip, f = parseLiteral(rest)
	} else {
		a.domain, f = parseDomain(rest)
		right = a.domain.name
	}
	if f != nil {
		return Address{}, f.shift(at + 1)
	}
	written := writeLocal(local)
	if len(written) > maxLocal {
		return Address{}, &fault{0, fmt.Sprintf("the local part has %d octets in its normal form; at most %d are allowed", len(written), maxLocal)}
	}
	if n := len(written) + 1 + len(right); n > maxAddress {
		return Address{}, &fault{at, fmt.Sprintf("the address has %d octets; at most %d are allowed", n, maxAddress)}
	}
	if written == s[:at] && right == rest {
		a.text = s
	} else {
		a.text = written + "@" + right
	}
	return a, nil
}

// checkWhole refuses what needs no parsing to be seen wrong.
func checkWhole(s string) *fault {
	if s == "" {
		return &fault{0, "the address is empty"}
	}
	if len(s) > maxInput {
		return &fault{maxAddress, fmt.Sprintf("an address has at most %d octets; this input has %d", maxAddress, len(s))}
	}
	if off := invalidUTF8(s); off >= 0 {
		return &fault{off, "this is not valid UTF-8"}
	}
	if r, _ := utf8.DecodeRuneInString(s); unicode.IsSpace(r) {
		return &fault{0, describe(r) + " stands before the address"}
	}
	if body := strings.TrimRightFunc(s, unicode.IsSpace); len(body) < len(s) {
		r, _ := utf8.DecodeRuneInString(s[len(body):])
		return &fault{len(body), describe(r) + " stands after the address"}
	}
	return nil
}

// invalidUTF8 is the offset of the first byte of s that is not UTF-8, or -1.
func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)) {
			return i
		}
	}
	return -1
}

// String is the normal form: the local-part as it was given, the domain as lower-case A-labels.
// Quotes stand only where they are needed, so "ada"@Example.com becomes ada@example.com;
// UTF-8 is in normalisation form C (RFC 6532 §3.1). Parsing it gives an equal Address.
func (a Address) String() string { return a.text }

// Path is what stands between the angle brackets of RCPT TO:<…>, RFC 5321 §4.1.2.
// It holds no control character and no unquoted angle bracket, and at most 254 octets.
func (a Address) Path() string { return a.text }

// Key identifies the mailbox. Only the mail host knows which local-parts mean the same mailbox (RFC 5321 §2.4),
// so the local-part counts byte for byte, while domains are compared without regard to case.
func (a Address) Key() string { return a.text }

// LocalPart is the local-part without quotes and quoted-pairs, its case kept. It may be empty, as in ""@example.com.
func (a Address) LocalPart() string { return a.local }

// Domain is the domain; zero if the address is a literal.
func (a Address) Domain() Domain { return a.domain }

// NeedsSMTPUTF8 reports whether the local-part is not ASCII, so that only a server with
// SMTPUTF8 (RFC 6531) can be asked about it. A domain never needs it: A-labels are sent.
func (a Address) NeedsSMTPUTF8() bool { return !isASCII(a.local) }

// Tag is the subaddress, RFC 5233: what follows the first plus of the local-part. It reports whether there is one.
// A local-part that starts with a plus has none.
func (a Address) Tag() (string, bool) {
	base, tag, ok := strings.Cut(a.local, "+")
	if !ok || base == "" {
		return "", false
	}
	return tag, true
}

// Base is the local-part without its subaddress.
func (a Address) Base() string {
	if base, _, ok := strings.Cut(a.local, "+"); ok && base != "" {
		return base
	}
	return a.local
}

// IsLiteral reports whether an address literal stands where a domain could, RFC 5321 §4.1.3. There is nothing to ask the
// DNS about then, and whoever names the host to be connected to is the caller: a verifier should refuse it.
func (a Address) IsLiteral() bool { return a.text != "" && a.domain == Domain{} }

// Literal is the IP address of a literal. It is the zero Addr if there is none, also for a literal of a general kind, [tag:content].
func (a Address) Literal() netip.Addr { return a.ip }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// nfc puts s in normalisation form C. It costs nothing for ASCII.
func nfc(s string) string {
	if isASCII(s) {
		return s
	}
	return norm.NFC.String(s)
}
