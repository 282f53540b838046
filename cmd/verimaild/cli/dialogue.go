package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// renderAll prints every dialogue. seen is where each rule's replies come from, as far as that is known.
func renderAll(w io.Writer, evidence []apitype.Evidence, seen map[string]string) {
	var said []apitype.Line
	for i := range evidence {
		renderEvidence(w, &evidence[i], said, seen)
		said = evidence[i].Dialogue
	}
}

// renderEvidence prints one dialogue and how its reply was read. What is in said, the dialogue before it, was said
// once on the session that both share, and is not printed again.
func renderEvidence(w io.Writer, e *apitype.Evidence, said []apitype.Line, seen map[string]string) {
	if e.Stage == apitype.StageReport {
		renderReported(w, e)
		renderReading(w, e, seen)
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
	fmt.Fprintf(w, " from source %s", printable(e.Source))
	if !e.At.IsZero() {
		fmt.Fprintf(w, " at %s", e.At.Format(time.RFC3339))
	}
	shared := 0
	for shared < min(len(said), len(e.Dialogue)) && said[shared] == e.Dialogue[shared] {
		shared++
	}
	switch {
	case shared > 0:
		fmt.Fprintln(w, ", on the same session")
	case e.TLS != "":
		fmt.Fprintf(w, ", over %s\n", e.TLS)
	default:
		fmt.Fprintln(w, ", in clear")
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
	renderReading(w, e, seen)
}

// renderReading prints how a reply was read, by which rule, and where that rule's replies have been seen.
func renderReading(w io.Writer, e *apitype.Evidence, seen map[string]string) {
	if e.Class == "" {
		return
	}
	rule := "by no rule"
	if e.Rule != "" {
		rule = "rule " + e.Rule
	}
	if from := seen[e.Rule]; from != "" {
		rule += "; its origin: " + printable(from)
	}
	fmt.Fprintf(w, "  %-12s %s, about the %s (%s)\n", "read as", e.Class, strings.ReplaceAll(e.Scope, "_", " at the "), rule)
}

// renderReported prints what an application reported of a message that it sent.
func renderReported(w io.Writer, e *apitype.Evidence) {
	what := "delivered"
	if e.Code != 0 {
		what = fmt.Sprintf("bounced: %d %s", e.Code, strings.TrimSpace(e.Enhanced+" "+e.Text))
	}
	fmt.Fprintf(w, "  %-12s by application %s, at %s: %s\n", "reported", printable(e.Source), e.At.Format(time.RFC3339), printable(strings.TrimSpace(what)))
}
