package apitype

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// MarshalJSON writes a as [Answer.AppendJSON] does.
func (a Answer) MarshalJSON() ([]byte, error) { return a.AppendJSON(nil), nil }

// AppendJSON appends a's JSON to b. It is written out by hand for two reasons: zero values become null as the
// package promises, and a remembered answer is served in the time that reflection alone would take.
// A test holds it to the struct tags.
func (a *Answer) AppendJSON(b []byte) []byte {
	b = appendString(append(b, `{"email":`...), a.Email)
	b = a.appendMiddle(b)
	b = strconv.AppendInt(b, a.TookMS, 10)
	return a.appendEnd(b)
}

// appendMiddle appends what stands between the values of email and took_ms.
func (a *Answer) appendMiddle(b []byte) []byte {
	var last stamp
	b = appendName(append(b, `,"normalized":`...), a.Normalized)
	b = appendString(append(b, `,"verdict":`...), a.Verdict)
	b = appendString(append(b, `,"reason":`...), a.Reason)
	b = appendString(append(b, `,"subject":`...), a.Subject)
	b = appendString(append(b, `,"explanation":`...), a.Explanation)
	b = a.Flags.appendJSON(append(b, `,"flags":`...))
	b = appendName(append(b, `,"did_you_mean":`...), a.DidYouMean)
	b = appendName(append(b, `,"provider":`...), a.Provider)
	b = a.Domain.appendJSON(append(b, `,"domain":`...))
	b = append(b, `,"evidence":[`...)
	for i := range a.Evidence {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.Evidence[i].appendJSON(b, &last)
	}
	b = strconv.AppendBool(append(b, `],"cached":`...), a.Cached)
	b = last.append(append(b, `,"checked_at":`...), a.CheckedAt)
	b = appendTime(append(b, `,"expires_at":`...), a.ExpiresAt)
	b = appendTime(append(b, `,"retry_at":`...), a.RetryAt)
	return append(b, `,"took_ms":`...)
}

// appendEnd appends what stands behind the value of took_ms.
func (a *Answer) appendEnd(b []byte) []byte {
	b = appendName(append(b, `,"accept_all":`...), a.AcceptAll)
	b = appendName(append(b, `,"stage":`...), a.Stage)
	b = appendName(append(b, `,"provider_mode":`...), a.ProviderMode)
	b = appendName(append(b, `,"provider_note":`...), a.ProviderNote)
	b = appendTrace(append(b, `,"trace":`...), a.Trace)
	return append(b, '}')
}

// A Frame is an Answer's JSON without what differs between two replies with the same answer: email and took_ms.
// It does not change, and may be used concurrently.
type Frame struct{ middle, end []byte }

// Frame returns a's frame.
func (a *Answer) Frame() *Frame {
	middle := a.appendMiddle(nil)
	all := a.appendEnd(middle)
	n := len(middle)
	return &Frame{middle: all[:n:n], end: all[n:]}
}

// Size is how many bytes f takes.
func (f *Frame) Size() int { return len(f.middle) + len(f.end) }

// AppendJSON appends the JSON of the answer with this frame.
func (f *Frame) AppendJSON(b []byte, email string, tookMS int64) []byte {
	b = appendString(append(b, `{"email":`...), email)
	b = strconv.AppendInt(append(b, f.middle...), tookMS, 10)
	return append(b, f.end...)
}

func (f *Flags) appendJSON(b []byte) []byte {
	b = appendTri(append(b, `{"catch_all":`...), f.CatchAll)
	b = appendTri(append(b, `,"disposable":`...), f.Disposable)
	b = appendTri(append(b, `,"privacy_relay":`...), f.PrivacyRelay)
	b = appendTri(append(b, `,"role":`...), f.Role)
	b = appendTri(append(b, `,"free_provider":`...), f.FreeProvider)
	b = appendTri(append(b, `,"no_reply":`...), f.NoReply)
	b = appendTri(append(b, `,"subaddress":`...), f.Subaddress)
	b = appendTri(append(b, `,"smtputf8":`...), f.SMTPUTF8)
	b = appendTri(append(b, `,"implicit_mx":`...), f.ImplicitMX)
	return append(b, '}')
}

func (d *Domain) appendJSON(b []byte) []byte {
	if d == nil {
		return append(b, "null"...)
	}
	b = appendString(append(b, `{"ascii":`...), d.ASCII)
	b = append(b, `,"mx":[`...)
	for i, mx := range d.MX {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"host":`...), mx.Host)
		b = strconv.AppendUint(append(b, `,"preference":`...), uint64(mx.Preference), 10)
		b = append(b, '}')
	}
	return append(b, "]}"...)
}

func (e *Evidence) appendJSON(b []byte, last *stamp) []byte {
	b = appendString(append(b, `{"stage":`...), e.Stage)
	b = strconv.AppendBool(append(b, `,"control":`...), e.Control)
	b = appendName(append(b, `,"mx":`...), e.MX)
	b = appendName(append(b, `,"ip":`...), e.IP)
	b = appendName(append(b, `,"source":`...), e.Source)
	b = appendName(append(b, `,"tls":`...), e.TLS)
	b = append(b, `,"code":`...)
	if e.Code == 0 {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendInt(b, int64(e.Code), 10)
	}
	b = appendName(append(b, `,"enhanced":`...), e.Enhanced)
	b = appendString(append(b, `,"text":`...), e.Text)
	b = appendName(append(b, `,"class":`...), e.Class)
	b = appendName(append(b, `,"scope":`...), e.Scope)
	b = last.append(append(b, `,"at":`...), e.At)
	b = appendName(append(b, `,"rule":`...), e.Rule)
	b = append(b, `,"dialogue":[`...)
	for i, l := range e.Dialogue {
		if i > 0 {
			b = append(b, ',')
		}
		b = last.append(append(b, `{"at":`...), l.At)
		b = appendString(append(b, `,"from":`...), l.From)
		b = appendString(append(b, `,"text":`...), l.Text)
		b = append(b, '}')
	}
	return append(b, "]}"...)
}

func appendTri(b []byte, v *bool) []byte {
	if v == nil {
		return append(b, "null"...)
	}
	return strconv.AppendBool(b, *v)
}

// appendTime appends t in UTC to the millisecond, without trailing zeros; null for the zero time.
func appendTime(b []byte, t time.Time) []byte { return new(stamp).append(b, t) }

// A stamp is where in the JSON the last time was written, and which it was: the lines of a dialogue often share one.
// The zero stamp is none.
type stamp struct {
	ms       int64 // Since 1970.
	from, to int
}

func (s *stamp) append(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	ms := t.UnixMilli()
	if s.to > 0 && s.ms == ms {
		return append(b, b[s.from:s.to]...)
	}
	s.ms, s.from = ms, len(b)
	b = t.UTC().AppendFormat(append(b, '"'), "2006-01-02T15:04:05.999Z07:00")
	b = append(b, '"')
	s.to = len(b)
	return b
}

// appendName appends s as a JSON string; null if it is empty.
func appendName(b []byte, s string) []byte {
	if s == "" {
		return append(b, "null"...)
	}
	return appendString(b, s)
}

// appendString appends s as a JSON string, RFC 8259 §7. What is not UTF-8 becomes U+FFFD. Unlike encoding/json
// it leaves < > & alone: replies are full of <paths>, and nobody puts this JSON into a page unescaped.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	done := 0 // s[:done] has been appended.
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[done:i]...), "\uFFFD"...)
				done = i + 1
			}
			i += size
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			b = append(b, s[done:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, `\n`...)
			case '\r':
				b = append(b, `\r`...)
			case '\t':
				b = append(b, `\t`...)
			default:
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
			}
			done = i + 1
		}
		i++
	}
	return append(append(b, s[done:]...), '"')
}
