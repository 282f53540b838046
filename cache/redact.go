package cache

import (
	"strings"
	"unicode/utf8"

	"github.com/verimails/verimaild/verify/address"
)

// Servers like to repeat addresses in their replies. On disk there is none: the mailbox's own address and local-part
// are replaced by tokens, and put back when the record is read by whoever knows the address. Any other address (a
// sender's, an alias's target, a made-up one) loses its local-part for good.
//
// A token is mark and a letter.
const (
	mark = '\x1a' // SUB. A server may send one; it is doubled then.

	tokenAddress = 'a' // The whole address, in its normal form.
	tokenLocal   = 'l' // The local-part, without quotes.
	tokenBase    = 'b' // The local-part without its subaddress.

	elided = "…" // Stands for a local-part that is not kept.
)

// A redactor removes addresses from texts about one mailbox, or about none.
type redactor struct {
	address, local, base string // "" if there is no mailbox.
	domain, unicode      string
}

// redactorFor makes the redactor for a; the zero Address is no mailbox.
func redactorFor(a address.Address) redactor {
	d := a.Domain()
	return redactor{address: a.String(), local: a.LocalPart(), base: a.Base(), domain: d.ASCII(), unicode: d.Unicode()}
}

// redact returns s without addresses.
func (r *redactor) redact(s string) string {
	if !strings.ContainsAny(s, "@\x1a") && !r.mentions(s) {
		return s
	}
	var out strings.Builder
	out.Grow(len(s) + 8)
	for {
		at := strings.IndexByte(s, '@')
		if at < 0 {
			r.names(&out, s)
			return out.String()
		}
		start, end := mailboxBounds(s, at)
		if start == at || end == at+1 {
			r.names(&out, s[:at+1])
			s = s[at+1:]
			continue
		}
		if own, from := r.own(s, at, end); own {
			r.names(&out, s[:from])
			out.WriteByte(mark)
			out.WriteByte(tokenAddress)
		} else {
			r.names(&out, s[:start])
			out.WriteString(elided)
			out.WriteString(s[at:end])
		}
		s = s[end:]
	}
}

// mentions reports whether the local-part may stand in s.
func (r *redactor) mentions(s string) bool {
	if r.base == "" || len(s) < len(r.base) {
		return false
	}
	for i := 0; i+len(r.base) <= len(s); i++ {
		if strings.EqualFold(s[i:i+len(r.base)], r.base) {
			return true
		}
	}
	return false
}

// own reports whether the mailbox itself stands around the at sign, and where it begins: servers also write things like
// to=ada@example.com.
func (r *redactor) own(s string, at, end int) (own bool, from int) {
	if r.address == "" {
		return false, 0
	}
	domain := strings.TrimSuffix(s[at+1:end], ".")
	if !strings.EqualFold(domain, r.domain) && !strings.EqualFold(domain, r.unicode) {
		return false, 0
	}
	written := r.address[:strings.LastIndexByte(r.address, '@')]
	for _, local := range []string{written, r.local} {
		from = at - len(local)
		if local != "" && from >= 0 && strings.EqualFold(s[from:at], local) && wordStart(s, from) {
			return true, from
		}
	}
	return false, 0
}

// names writes s, which holds no address, with the local-part replaced where it stands as a word.
func (r *redactor) names(out *strings.Builder, s string) {
	for i := 0; i < len(s); {
		token, n := r.nameAt(s, i)
		switch {
		case n > 0:
			out.WriteByte(mark)
			out.WriteByte(token)
			i += n
			continue
		case s[i] == mark:
			out.WriteByte(mark)
		}
		out.WriteByte(s[i])
		i++
	}
}

// nameAt is the token for the name that stands at s[i] as a word, and the name's length; 0 if none does.
func (r *redactor) nameAt(s string, i int) (token byte, n int) {
	if r.base == "" || !wordStart(s, i) {
		return 0, 0
	}
	if n := len(r.local); hasWord(s, i, r.local) {
		return tokenLocal, n
	}
	if n := len(r.base); hasWord(s, i, r.base) {
		return tokenBase, n
	}
	return 0, 0
}

// wordStart reports whether a word may begin at s[i].
func wordStart(s string, i int) bool { return i == 0 || !wordByte(s[i-1]) || !wordByte(s[i]) }

// hasWord reports whether w, in whatever case, stands at s[i] and ends there.
func hasWord(s string, i int, w string) bool {
	end := i + len(w)
	return end <= len(s) && strings.EqualFold(s[i:end], w) && (end == len(s) || !wordByte(s[end]) || !wordByte(s[end-1]))
}

// restore puts back what redact replaced by tokens.
func (r *redactor) restore(s string) (string, error) {
	if strings.IndexByte(s, mark) < 0 {
		return s, nil
	}
	var out strings.Builder
	for {
		i := strings.IndexByte(s, mark)
		if i < 0 {
			out.WriteString(s)
			return out.String(), nil
		}
		if i+1 == len(s) {
			return "", errWire
		}
		out.WriteString(s[:i])
		switch s[i+1] {
		case mark:
			out.WriteByte(mark)
		case tokenAddress:
			out.WriteString(r.address)
		case tokenLocal:
			out.WriteString(r.local)
		case tokenBase:
			out.WriteString(r.base)
		default:
			return "", errWire
		}
		s = s[i+2:]
	}
}

// mailboxBounds is the extent of what looks like a mailbox around the at sign at s[at].
func mailboxBounds(s string, at int) (start, end int) {
	start, end = at, at+1
	if at > 0 && s[at-1] == '"' {
		start = quotedStart(s, at-1)
	}
	for start > 0 && localByte(s[start-1]) {
		start--
	}
	if end < len(s) && s[end] == '[' {
		if n := strings.IndexByte(s[end:], ']'); n >= 0 {
			return start, end + n + 1
		}
	}
	for end < len(s) && domainByte(s[end]) {
		end++
	}
	return start, end
}

// quotedStart is where the quoted string that ends with s[end] begins, end if nowhere.
func quotedStart(s string, end int) int {
	for q := end - 1; q >= 0; q-- {
		if s[q] == '"' && (q == 0 || s[q-1] != '\\') {
			return q
		}
	}
	return end
}

// localByte reports whether c may stand in an unquoted local-part: atext of RFC 5322 §3.2.3, dots, and UTF-8.
func localByte(c byte) bool {
	return wordByte(c) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", c) >= 0
}

func domainByte(c byte) bool { return wordByte(c) || c == '-' || c == '.' }

// wordByte reports whether c is part of a word: a name inside a word is not the name.
func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= utf8.RuneSelf
}
