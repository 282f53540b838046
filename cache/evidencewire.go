package cache

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

// Bounds of what is kept of the evidence. A server decides what it says, and how much.
const (
	maxEvidence = 8    // Entries of a record.
	maxMX       = 16   // Mail hosts of a record.
	maxText     = 512  // Bytes of a reply.
	maxLine     = 512  // Bytes of a line of the dialogue.
	maxDialogue = 4096 // Bytes of all dialogues of a record.
	maxLines    = 100  // Lines of all dialogues of a record.
	maxName     = 255  // Bytes of any name.
)

// Bits of an evidence entry.
const (
	bitControl  = 1 << iota
	bitReply    // A code came.
	bitDialogue // There is a dialogue.
)

func encodeEvidence(e *encoder, red *redactor, list []verdict.Evidence, checked time.Time) {
	e.count(len(list))
	for i := range list {
		ev := &list[i]
		var bits byte
		if ev.Control {
			bits |= bitControl
		}
		if ev.Code != 0 {
			bits |= bitReply
		}
		if len(ev.Dialogue) > 0 {
			bits |= bitDialogue
		}
		e.byte(bits)
		e.string(ev.Stage)
		e.string(ev.MX)
		e.addr(ev.IP)
		e.string(ev.Source)
		e.string(ev.TLS)
		if ev.Code != 0 {
			e.uint(uint64(ev.Code)) //nolint:gosec // G115: trimmed to 0..999.
		}
		e.string(ev.Enhanced)
		e.string(red.redact(ev.Text))
		e.string(ev.Class)
		e.string(ev.Scope)
		e.string(ev.Rule)
		e.int(ev.At.Sub(checked).Milliseconds())
		if len(ev.Dialogue) > 0 {
			encodeDialogue(e, red, ev.Dialogue, ev.At)
		}
	}
}

func decodeEvidence(d *decoder, red *redactor, checked time.Time) []verdict.Evidence {
	n := d.count()
	if n == 0 {
		return nil
	}
	if n > maxEvidence {
		d.fail()
		return nil
	}
	list := make([]verdict.Evidence, n)
	for i := range list {
		ev := &list[i]
		bits := d.byte()
		ev.Control = bits&bitControl != 0
		ev.Stage = d.string()
		ev.MX = d.string()
		ev.IP = d.addr()
		ev.Source = d.string()
		ev.TLS = d.string()
		if bits&bitReply != 0 {
			ev.Code = int(d.small(999)) //nolint:gosec // G115: bounded.
		}
		ev.Enhanced = d.string()
		ev.Text = restored(d, red, d.string())
		ev.Class = d.string()
		ev.Scope = d.string()
		ev.Rule = d.string()
		ev.At = offset(d, checked)
		if bits&bitDialogue != 0 {
			ev.Dialogue = decodeDialogue(d, red, ev.At)
		}
	}
	return list
}

// A line of a dialogue is a varint, twice the milliseconds since the line before plus 1 if it is ours, and its text.
func encodeDialogue(e *encoder, red *redactor, lines []verdict.Line, at time.Time) {
	e.count(len(lines))
	e.int(lines[0].At.Sub(at).Milliseconds())
	last := lines[0].At
	for _, l := range lines {
		v := uint64(max(0, l.At.Sub(last).Milliseconds())) << 1 //nolint:gosec // G115: not negative.
		if l.Client {
			v |= 1
		}
		e.uint(v)
		e.text(red.redact(l.Text))
		last = l.At
	}
}

func decodeDialogue(d *decoder, red *redactor, at time.Time) []verdict.Line {
	n := d.count()
	if n > maxLines {
		d.fail()
		return nil
	}
	at = offset(d, at)
	lines := make([]verdict.Line, n)
	for i := range lines {
		v := d.small(2 * uint64(maxTime))
		at = at.Add(time.Duration(v>>1) * time.Millisecond) //nolint:gosec // G115: bounded.
		lines[i] = verdict.Line{At: at, Client: v&1 != 0, Text: restored(d, red, d.text())}
	}
	return lines
}

// offset reads a time that is told by its distance from another.
func offset(d *decoder, from time.Time) time.Time {
	ms := d.int()
	if ms > maxTime || ms < -maxTime {
		d.fail()
		return from
	}
	return from.Add(time.Duration(ms) * time.Millisecond)
}

func restored(d *decoder, red *redactor, s string) string {
	s, err := red.restore(s)
	if err != nil {
		d.fail()
	}
	return s
}

// trimEvidence is list within the bounds: a copy, whose dialogues may be those of list.
func trimEvidence(list []verdict.Evidence) []verdict.Evidence {
	if len(list) > maxEvidence {
		list = list[len(list)-maxEvidence:] // The last are the ones that decided.
	}
	out := make([]verdict.Evidence, len(list))
	bytes, lines := maxDialogue, maxLines
	for i, ev := range list {
		ev.Text = cut(ev.Text, maxText)
		ev.MX, ev.Source = cut(ev.MX, maxName), cut(ev.Source, maxName)
		for _, s := range []*string{&ev.Stage, &ev.TLS, &ev.Enhanced, &ev.Class, &ev.Scope, &ev.Rule} {
			*s = cut(*s, maxName)
		}
		if ev.Code < 0 || ev.Code > 999 {
			ev.Code = 0
		}
		if ev.At.IsZero() {
			ev.At = base
		}
		ev.Dialogue = trimDialogue(ev.Dialogue, &bytes, &lines)
		out[i] = ev
	}
	return out
}

// trimDialogue keeps the beginning and the end of a dialogue, within what is left of the record's room.
func trimDialogue(lines []verdict.Line, bytes, left *int) []verdict.Line {
	if len(lines) == 0 || *bytes <= 0 || *left < 2 {
		return nil
	}
	need := 0
	for _, l := range lines {
		need += min(len(l.Text), maxLine)
	}
	if need > *bytes || len(lines) > *left {
		lines = middleOut(lines, *bytes, *left)
	}
	if slices.ContainsFunc(lines, func(l verdict.Line) bool { return len(l.Text) > maxLine || l.At.IsZero() }) {
		lines = trimLines(lines)
	}
	for _, l := range lines {
		*bytes -= len(l.Text)
	}
	*left -= len(lines)
	return lines
}

// trimLines is a copy of lines that are of bounded length and all have a time.
func trimLines(lines []verdict.Line) []verdict.Line {
	out := slices.Clone(lines)
	for i := range out {
		l := &out[i]
		l.Text = cut(l.Text, maxLine)
		if l.At.IsZero() {
			l.At = base
		}
	}
	return out
}

// middleOut leaves lines out of the middle: a dialogue's beginning says who answered, its end what was answered.
func middleOut(lines []verdict.Line, bytes, limit int) []verdict.Line {
	head, tail := 0, len(lines)
	limit-- // For the line that says so.
	for head < tail && head+len(lines)-tail < limit {
		next := &lines[head]
		fromTail := head > len(lines)-tail
		if fromTail {
			next = &lines[tail-1]
		}
		if bytes -= min(len(next.Text), maxLine); bytes < 0 {
			break
		}
		if fromTail {
			tail--
		} else {
			head++
		}
	}
	out := append([]verdict.Line(nil), lines[:head]...)
	gap := verdict.Line{At: lines[min(head, len(lines)-1)].At, Text: fmt.Sprintf("[%d lines not kept]", tail-head)}
	return append(append(out, gap), lines[tail:]...)
}

// cut shortens s to n bytes, at a character's end.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n-len(elided)], "") + elided
}
