package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// bounceLimit is the share of bounces above which receivers act.
const bounceLimit = 0.02

// renderSummary prints what came of a job.
func renderSummary(w io.Writer, j *apitype.Job, took time.Duration) {
	if !j.EndedAt.IsZero() {
		took = j.EndedAt.Sub(j.CreatedAt)
	}
	fmt.Fprintf(w, "%s, %s at %s, in %s", counted(j.Rows, "row", "rows"), counted(j.Addresses, "address", "addresses"),
		counted(j.Domains, "domain", "domains"), span(took))
	if j.Bad > 0 {
		fmt.Fprintf(w, "; %s could not be read", counted(j.Bad, "row", "rows"))
	}
	fmt.Fprint(w, ".\n\n")
	renderVerdicts(w, j)
	renderBounces(w, j)
	renderUnverifiable(w, j)
	renderWorst(w, j)
}

// count is the rows with a verdict.
func count(v *apitype.VerdictCounts, name string) int64 {
	switch name {
	case apitype.Deliverable:
		return v.Deliverable
	case apitype.Risky:
		return v.Risky
	case apitype.Undeliverable:
		return v.Undeliverable
	default:
		return v.Unknown
	}
}

func renderVerdicts(w io.Writer, j *apitype.Job) {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "VERDICT\tROWS\tSHARE\tMOSTLY")
	for _, v := range verdicts {
		n := count(&j.Verdicts, v)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", v, grouped(n), percent(share(n, j.Done)), topReasons(j, v))
	}
	if left := j.Rows - j.Done; left > 0 {
		fmt.Fprintf(t, "no outcome\t%s\t\t\n", grouped(left))
	}
	_ = t.Flush() // As with every write to the terminal.
}

// topReasons is the commonest reasons of a verdict.
func topReasons(j *apitype.Job, verdict string) string {
	var out []string
	for _, r := range j.Reasons {
		if r.Verdict == verdict && len(out) < 3 {
			out = append(out, fmt.Sprintf("%s %s", r.Reason, grouped(r.Rows)))
		}
	}
	return strings.Join(out, ", ")
}

func renderBounces(w io.Writer, j *apitype.Job) {
	if len(j.Bounces) == 0 {
		return
	}
	fmt.Fprint(w, "\n")
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "IF SENT\tROWS\tWOULD BOUNCE\tLIES BETWEEN\t")
	for _, b := range j.Bounces {
		note := ""
		if b.Likely > bounceLimit {
			note = "above the 2 % at which receivers act"
		}
		fmt.Fprintf(t, "%s\t%s\tabout %s\t%s and %s\t%s\n", dropped(b.Drop), grouped(b.Rows), percent(b.Likely), percent(b.Low), percent(b.High), note)
	}
	_ = t.Flush() // As above.
	fmt.Fprintf(w, "%s\n", wrapped(j.Method, 110))
}

// dropped says what is left out.
func dropped(drop []string) string {
	if len(drop) == 0 {
		return "as it is"
	}
	return "without " + strings.Join(drop, ", ")
}

// renderUnverifiable says what the providers cost that can't be verified.
func renderUnverifiable(w io.Writer, j *apitype.Job) {
	lost := unverifiable(j)
	if lost == 0 {
		return
	}
	fmt.Fprintf(w, "\nProviders that cannot be verified cost %s of %s rows (%s)", grouped(lost), grouped(j.Done), percent(share(lost, j.Done)))
	var named []string
	for _, p := range j.Providers {
		if p.Provider != "" && p.Verdicts.Unknown > 0 && len(named) < 3 {
			named = append(named, fmt.Sprintf("%s %s", p.Provider, grouped(p.Verdicts.Unknown)))
		}
	}
	if len(named) > 0 {
		fmt.Fprintf(w, ": %s", strings.Join(named, ", "))
	}
	fmt.Fprintln(w, ".")
}

// unverifiable is the rows at providers that can't be asked, or whose answers prove nothing.
func unverifiable(j *apitype.Job) int64 {
	var n int64
	for _, r := range j.Reasons {
		if r.Reason == "provider_unverifiable" || r.Reason == "probe_suppressed" {
			n += r.Rows
		}
	}
	return n
}

func renderWorst(w io.Writer, j *apitype.Job) {
	if len(j.Worst) == 0 {
		return
	}
	fmt.Fprint(w, "\n")
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "WORST DOMAINS\tROWS\tUNDELIVERABLE")
	for _, d := range j.Worst[:min(5, len(j.Worst))] {
		fmt.Fprintf(t, "%s\t%s\t%s\n", printable(d.Domain), grouped(d.Rows), grouped(d.Undeliverable))
	}
	_ = t.Flush() // As above.
}

// share is n of all, 0 to 1.
func share(n, all int64) float64 {
	if all == 0 {
		return 0
	}
	return float64(n) / float64(all)
}

func percent(s float64) string { return fmt.Sprintf("%.1f %%", 100*s) }

// wrapped breaks a text into lines of a number of columns.
func wrapped(text string, columns int) string {
	var out strings.Builder
	line := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == 0:
		case line+1+len(word) > columns:
			out.WriteByte('\n')
			line = 0
		default:
			out.WriteByte(' ')
			line++
		}
		out.WriteString(word)
		line += len(word)
	}
	return out.String()
}
