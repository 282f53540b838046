package cli

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/pool/reply"
)

// hostile is text that clears a terminal, sets its title, and turns what follows around.
const hostile = "x\x1b[2J\x1b]0;owned\x07\r\n\u009b31m\u202e\x00"

// ours are fields whose words are the daemon's own, from closed sets.
var ours = []string{
	"ID", "State", "Verdict", "Reason", "Subject", "Class", "Scope", "Stage", "AcceptAll", "Code", "Version", "Go", "Priority", "Window", "Outcome", "Effect", "Drop",
	"RerunOf", "IP", "IPv4", "IPv6", "Prefix", "Provider", "TLS", "Says", "Effect", "Rule", "Method", "Drop", "From", "To", "Date", "Name",
}

// TestTerminalIsLeftAlone: whatever strangers wrote (servers, callers, lists) goes to the terminal without what would move
// its cursor.
func TestTerminalIsLeftAlone(t *testing.T) {
	now := time.Now()
	for _, screen := range []struct {
		name   string
		render func(b *bytes.Buffer)
	}{
		{"job show", func(b *bytes.Buffer) { renderJob(b, poisoned[apitype.Job](t)) }},
		{"the summary of a job", func(b *bytes.Buffer) { renderSummary(b, poisoned[apitype.Job](t), time.Minute) }},
		{"verify", func(b *bytes.Buffer) { renderLine(b, poisoned[apitype.Answer](t)) }},
		{"verify --explain", func(b *bytes.Buffer) { renderExplained(b, poisoned[apitype.Answer](t)) }},
		{"domain show", func(b *bytes.Buffer) { renderDomain(b, poisoned[apitype.DomainRecord](t)) }},
		{"egress status", func(b *bytes.Buffer) { renderEgress(b, poisoned[apitype.Egress](t), now) }},
		{"feedback", func(b *bytes.Buffer) { renderFeedback(b, poisoned[apitype.Feedback](t)) }},
		{"feedback FILE", func(b *bytes.Buffer) { renderReport(b, poisoned[apitype.FeedbackResult](t)) }},
		{"usage", func(b *bytes.Buffer) { renderUsage(b, poisoned[apitype.Usage](t), true) }},
		{"explain", func(b *bytes.Buffer) {
			r := reply.ParseReply(550, "5.1.1", hostile)
			printExplanation(b, hostile, hostile, reply.Builtin().Explain("rcpt", &r, ""))
		}},
	} {
		var b bytes.Buffer
		screen.render(&b)
		for line := range strings.Lines(b.String()) {
			moves := func(r rune) bool { return unicode.IsControl(r) && r != '\t' || unicode.Is(unicode.Bidi_Control, r) }
			if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), moves) {
				t.Errorf("%s prints %q", screen.name, line)
			}
		}
		if b.Len() < 10 {
			t.Errorf("%s prints %q", screen.name, b.String())
		}
	}
}

// poisoned is a T whose texts are all hostile, but for words of ours.
func poisoned[T any](t *testing.T) *T {
	t.Helper()
	v := new(T)
	poison(reflect.ValueOf(v).Elem(), "", 0)
	return v
}

func poison(v reflect.Value, field string, depth int) {
	if depth > 8 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		if !slices.Contains(ours, field) {
			v.SetString(hostile)
		}
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		poison(v.Elem(), field, depth+1)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			poison(v.Index(0), field, depth+1)
		}
	case reflect.Struct:
		if _, ok := v.Interface().(time.Time); ok {
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				poison(v.Field(i), f.Name, depth+1)
			}
		}
	default: // Numbers and flags say nothing.
	}
}
