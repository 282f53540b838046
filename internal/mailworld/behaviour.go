package mailworld

import (
	"fmt"
	"slices"
	"strings"
)

// A behaviour is a Host made ready for its sessions. It does not change; World.Change makes a new one.
type behaviour struct {
	Host
	texts      texts
	clear, enc []string // The keywords in clear and under TLS.
}

func newBehaviour(h Host) *behaviour {
	b := &behaviour{Host: h, texts: textsOf(h.Style)}
	b.clear = b.usualKeywords(false)
	b.enc = b.usualKeywords(true)
	if h.EHLO.Keywords != nil {
		b.clear = h.EHLO.Keywords
		b.enc = slices.DeleteFunc(slices.Clone(h.EHLO.Keywords), func(k string) bool { return strings.EqualFold(k, "STARTTLS") })
	}
	if h.EHLO.TLSKeywords != nil {
		b.enc = h.EHLO.TLSKeywords
	}
	return b
}

// vary is the behaviour of the host's n-th session.
func (b *behaviour) vary(n int) *behaviour {
	if b.Vary == nil {
		return b
	}
	h := b.Host
	b.Vary(n, &h)
	h.Name = b.Name
	return newBehaviour(h)
}

// usualKeywords are those that follow from the other fields.
func (b *behaviour) usualKeywords(tls bool) []string {
	var k []string
	if b.pipelining(tls) {
		k = append(k, "PIPELINING")
	}
	k = append(k, "SIZE 10240000")
	if !tls && b.TLS.Mode != NoTLS {
		k = append(k, "STARTTLS")
	}
	k = append(k, "ENHANCEDSTATUSCODES", "8BITMIME", "DSN")
	if b.SMTPUTF8 {
		k = append(k, "SMTPUTF8")
	}
	if l := b.limitsKeyword(); l != "" {
		k = append(k, l)
	}
	return append(k, b.EHLO.More...)
}

// limitsKeyword is the LIMITS line, RFC 9422 §3; "" if it is not wanted.
func (b *behaviour) limitsKeyword() string {
	l := &b.Limits
	if !l.Advertise {
		return ""
	}
	out := "LIMITS"
	if l.Transactions.N > 0 {
		out += fmt.Sprintf(" MAILMAX=%d", l.Transactions.N)
	}
	if l.Recipients.N > 0 {
		out += fmt.Sprintf(" RCPTMAX=%d", l.Recipients.N)
	}
	if l.OneDomain {
		out += " RCPTDOMAINMAX=1"
	}
	return out
}

func (b *behaviour) keywords(tls bool) []string {
	if tls {
		return b.enc
	}
	return b.clear
}

// pipelining reports whether the host offers PIPELINING.
func (b *behaviour) pipelining(tls bool) bool {
	switch b.Pipelining {
	case PipeliningOff, PipeliningCloses:
		return false
	case PipeliningBeforeTLS:
		return !tls
	case PipeliningAfterTLS:
		return tls
	default:
		return true
	}
}

// replyTo is the reply to a verb: what Replies says, or else r.
func (b *behaviour) replyTo(verb string, r Reply) Reply {
	if len(b.Replies) == 0 {
		return r
	}
	return b.Replies[verb].or(r)
}

func (b *behaviour) lineEnd() string {
	if b.Wire.LineEnd != "" {
		return b.Wire.LineEnd
	}
	return "\r\n"
}
