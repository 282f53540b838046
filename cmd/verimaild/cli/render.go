package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// renderLine prints an answer on one line.
func renderLine(w io.Writer, a *apitype.Answer) {
	fmt.Fprintf(w, "%-13s  %-22s  %s", a.Verdict, a.Reason, printable(a.Email))
	if notes := notes(a); notes != "" {
		fmt.Fprintf(w, "  (%s)", notes)
	}
	fmt.Fprintln(w)
}

// notes is what else is worth a word on one line.
func notes(a *apitype.Answer) string {
	var out []string
	if a.DidYouMean != "" {
		out = append(out, "did you mean "+printable(a.DidYouMean)+"?")
	}
	if f := flagNames(&a.Flags); f != "" {
		out = append(out, f)
	}
	if !a.RetryAt.IsZero() {
		out = append(out, "ask again "+a.RetryAt.Format(time.RFC3339))
	}
	if a.Cached {
		out = append(out, "remembered from "+a.CheckedAt.Format(time.RFC3339))
	}
	return strings.Join(out, "; ")
}

// flagNames lists the flags that are true.
func flagNames(f *apitype.Flags) string {
	var out []string
	for _, flag := range []struct {
		name string
		set  *bool
	}{
		{"catch-all", f.CatchAll},
		{"disposable", f.Disposable},
		{"privacy relay", f.PrivacyRelay},
		{"role", f.Role},
		{"free provider", f.FreeProvider},
		{"no-reply", f.NoReply},
		{"subaddress", f.Subaddress},
		{"SMTPUTF8", f.SMTPUTF8},
		{"implicit MX", f.ImplicitMX},
	} {
		if flag.set != nil && *flag.set {
			out = append(out, flag.name)
		}
	}
	return strings.Join(out, ", ")
}

// acceptAll says what is known of the domain's habit, and how.
func acceptAll(a *apitype.Answer) string {
	switch {
	case a.Flags.CatchAll == nil:
		return "not known (" + strings.ReplaceAll(a.AcceptAll, "_", " ") + ")"
	case *a.Flags.CatchAll:
		return "the domain accepts made-up recipients"
	default:
		return "the domain refuses unknown recipients"
	}
}

func hosts(d *apitype.Domain) string {
	if len(d.MX) == 0 {
		return "none"
	}
	out := make([]string, len(d.MX))
	for i, mx := range d.MX {
		out[i] = fmt.Sprintf("%s (%d)", printable(mx.Host), mx.Preference)
	}
	return strings.Join(out, ", ")
}

// printable keeps what others have written from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\uFFFD'
		}
		return r
	}, s)
}
