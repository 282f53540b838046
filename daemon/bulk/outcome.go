package bulk

import (
	"errors"
	"math"
	"time"

	"github.com/verimails/verimaild/internal/wire"
	"github.com/verimails/verimaild/verify/verdict"
)

// An Outcome is what came of a row: an answer without its dialogues.
type Outcome struct {
	Reason      verdict.Reason
	Explanation string // "" means the reason's own sentence.
	Flags       verdict.Flags
	DidYouMean  string
	Provider    string // "" if none is known.
	MX          string // The mail host that answered, else the domain's first; "" if there is none.
	Code        int    // Of the reply about the address; 0 if there was none.
	Enhanced    string
	Text        string // Of the reply, or what went wrong instead of one.
	CheckedAt   time.Time
	RetryAt     time.Time // Zero if time alone does not change the answer.

	domain uint32 // The domain's number in the job's order.
	rows   uint32 // How many rows have this outcome.
}

// maxText bounds what is kept of a text that a server chose, in bytes.
const maxText = 300

// outcomeOf is what a job keeps of an answer.
func outcomeOf(a *verdict.Answer) Outcome {
	o := Outcome{
		Reason: a.Reason, Explanation: clip(a.Explanation), Flags: a.Flags, DidYouMean: clip(a.DidYouMean), Provider: a.Provider,
		CheckedAt: a.CheckedAt, RetryAt: a.RetryAt,
	}
	if len(a.MX) > 0 {
		o.MX = a.MX[0].Host
	}
	for i := range a.Evidence {
		e := &a.Evidence[i]
		if e.Control {
			continue // It is about another recipient.
		}
		o.Code, o.Enhanced, o.Text = e.Code, e.Enhanced, clip(e.Text)
		if e.MX != "" {
			o.MX = e.MX
		}
	}
	return o
}

// clip cuts s to what is kept, at a character's end.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}

// Verdict is the one that the reason allows.
func (o *Outcome) Verdict() verdict.Verdict { return o.Reason.Verdict() }

// Explain is the outcome's sentence for a person.
func (o *Outcome) Explain() string {
	if o.Explanation != "" {
		return o.Explanation
	}
	return o.Reason.Explanation()
}

// outcomeVersion is the first byte of an encoded outcome.
const outcomeVersion = 1

// encodeOutcome appends o to dst.
func encodeOutcome(dst []byte, o Outcome) []byte {
	dst = append(dst, outcomeVersion)
	dst = wire.AppendUint(dst, uint64(o.domain))
	dst = wire.AppendUint(dst, uint64(o.rows))
	dst = wire.AppendUint(dst, packFlags(&o.Flags))
	dst = wire.AppendCount(dst, o.Code)
	dst = appendTime(dst, o.CheckedAt)
	dst = appendTime(dst, o.RetryAt)
	for _, s := range o.strings() {
		dst = wire.AppendText(dst, *s)
	}
	return dst
}

// strings are o's texts in the order in which they are encoded.
func (o *Outcome) strings() []*string {
	return []*string{(*string)(&o.Reason), &o.Explanation, &o.DidYouMean, &o.Provider, &o.MX, &o.Enhanced, &o.Text}
}

var errDecode = errors.New("bulk: not a record of this version")

// decodeOutcome reads what encodeOutcome wrote, and refuses all else.
func decodeOutcome(b []byte) (Outcome, error) {
	r := wire.NewReader(b)
	r.Version(outcomeVersion)
	o := Outcome{domain: uint32(r.UpTo(math.MaxUint32)), rows: uint32(r.UpTo(math.MaxUint32))} //nolint:gosec // G115: bounded.
	flags := r.Uint()
	o.Code = int(r.UpTo(999)) //nolint:gosec // G115: bounded.
	o.CheckedAt, o.RetryAt = readTime(&r), readTime(&r)
	for _, s := range o.strings() {
		*s = r.Text()
	}
	if !r.Done() || !unpackFlags(flags, &o.Flags) {
		return Outcome{}, errDecode
	}
	if _, err := verdict.ParseReason(string(o.Reason)); err != nil {
		return Outcome{}, errDecode
	}
	return o, nil
}

// flagsOf are the flags in the order in which they are packed.
func flagsOf(f *verdict.Flags) [9]*verdict.Tri {
	return [...]*verdict.Tri{
		&f.CatchAll, &f.Disposable, &f.PrivacyRelay, &f.Role, &f.FreeProvider, &f.NoReply, &f.Subaddress, &f.SMTPUTF8, &f.ImplicitMX,
	}
}

// packFlags makes a number to the base of three of f.
func packFlags(f *verdict.Flags) uint64 {
	var n uint64
	for _, t := range flagsOf(f) {
		n = 3*n + uint64(*t+1) //nolint:gosec // G115: 0 to 2.
	}
	return n
}

// unpackFlags reads what packFlags made; false if it did not.
func unpackFlags(n uint64, f *verdict.Flags) bool {
	all := flagsOf(f)
	for i := len(all) - 1; i >= 0; i-- {
		*all[i] = verdict.Tri(n%3) - 1
		n /= 3
	}
	return n == 0
}

// appendTime appends t in milliseconds; 0 is the zero time.
func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(dst, 0)
	}
	return wire.AppendUint(dst, uint64(max(t.UnixMilli(), 1)))
}

// readTime reads what appendTime appended.
func readTime(r *wire.Reader) time.Time {
	ms := r.UpTo(1<<53 - 1)
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC() //nolint:gosec // G115: our own milliseconds; any others are a time, too.
}
