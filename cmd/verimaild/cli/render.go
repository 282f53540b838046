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
		out = append(out, "did you mean "+a.DidYouMean+"?")
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

// renderExplained prints the whole way to an answer.
func renderExplained(w io.Writer, a *apitype.Answer) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintln(w, printable(a.Email))
	row("verdict", "%s, because %s (about the %s)", a.Verdict, a.Reason, a.Subject)
	row("in words", "%s", printable(a.Explanation))
	if a.DidYouMean != "" {
		row("did you mean", "%s", a.DidYouMean)
	}
	if f := flagNames(&a.Flags); f != "" {
		row("flags", "%s", f)
	}
	if a.Domain != nil && a.Stage != "syntax" {
		row("mail hosts", "%s", hosts(a.Domain))
	}
	if a.Provider != "" {
		row("provider", "%s, mode %s: %s", a.Provider, a.ProviderMode, a.ProviderNote)
	}
	if a.AcceptAll != "" {
		row("accept-all", "%s", acceptAll(a))
	}
	if a.Cached {
		row("remembered", "from %s", a.CheckedAt.Format(time.RFC3339))
	}
	if !a.RetryAt.IsZero() {
		row("ask again", "%s", a.RetryAt.Format(time.RFC3339))
	}
	renderAll(w, a.Evidence)
	row("took", "%d ms", a.TookMS)
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

// renderAll prints every dialogue.
func renderAll(w io.Writer, evidence []apitype.Evidence) {
	var said []apitype.Line
	for i := range evidence {
		renderEvidence(w, &evidence[i], said)
		said = evidence[i].Dialogue
	}
}

// renderEvidence prints one dialogue and how its reply was read. What is in said, the dialogue before it, was said
// once on the session that both share, and is not printed again.
func renderEvidence(w io.Writer, e *apitype.Evidence, said []apitype.Line) {
	if e.Stage == apitype.StageReport {
		renderReported(w, e)
		return
	}
	what := "asked"
	if e.Control {
		what = "control"
	}
	fmt.Fprintf(w, "  %-12s %s", what, printable(e.MX))
	if e.IP != "" {
		fmt.Fprintf(w, " [%s]", e.IP)
	}
	fmt.Fprintf(w, " from source %s, ", e.Source)
	shared := 0
	for shared < min(len(said), len(e.Dialogue)) && said[shared] == e.Dialogue[shared] {
		shared++
	}
	switch {
	case shared > 0:
		fmt.Fprintln(w, "on the same session")
	case e.TLS != "":
		fmt.Fprintf(w, "over %s\n", e.TLS)
	default:
		fmt.Fprintln(w, "in clear")
	}
	for _, l := range e.Dialogue[shared:] {
		arrow := "<"
		if l.From == apitype.FromClient {
			arrow = ">"
		}
		fmt.Fprintf(w, "    %8.3fs %s %s\n", l.At.Sub(e.Dialogue[0].At).Seconds(), arrow, printable(l.Text))
	}
	if e.Code == 0 {
		fmt.Fprintf(w, "  %-12s at %s: %s\n", "failed", e.Stage, printable(e.Text))
		return
	}
	fmt.Fprintf(w, "  %-12s %s, about the %s (rule %s)\n", "read as", e.Class, strings.ReplaceAll(e.Scope, "_", " at the "), e.Rule)
}

// renderReported prints what an application reported of a message that it sent.
func renderReported(w io.Writer, e *apitype.Evidence) {
	what := "delivered"
	if e.Code != 0 {
		what = printable(strings.TrimSpace(fmt.Sprintf("bounced: %d %s", e.Code, strings.TrimSpace(e.Enhanced+" "+e.Text))))
	}
	fmt.Fprintf(w, "  %-12s by application %s, at %s: %s\n", "reported", printable(e.Source), e.At.Format(time.RFC3339), what)
	if e.Class != "" {
		fmt.Fprintf(w, "  %-12s %s, about the %s (rule %s)\n", "read as", e.Class, strings.ReplaceAll(e.Scope, "_", " at the "), e.Rule)
	}
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
