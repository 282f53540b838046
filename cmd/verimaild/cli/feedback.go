package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

// feedbackFlags are the flags of feedback.
type feedbackFlags struct {
	socket, format string
	json           bool
}

func newFeedbackCmd(io stdio) *cobra.Command {
	var f feedbackFlags
	cmd := &cobra.Command{
		Use:   "feedback [FILE...]",
		Short: "Report what became of mail, or show how good the answers were",
		Long: `Report what became of mail: bounces as they came back (a message, an mbox file, a directory of messages or a
maildir), or rows of a CSV or NDJSON file. They correct what the daemon remembers of the addresses. "-" is standard
input. Messages in a mailbox that are no delivery status notifications are passed over.

CSV needs a line of column names: email, outcome (delivered, bounced or delayed), and for bounces text, or code and
enhanced; at is when it happened. NDJSON has the same names, one object a line.

Without a file, show how good the answer "deliverable" has been by what was reported (root and the daemon's user only).

Exit code: 0 all reports were taken, 1 some make no sense or there was another failure, 3 no daemon answers.`,
		Example: `  verimaild feedback bounce.eml
  verimaild feedback /var/mail/bounces
  verimaild feedback --format csv - < outcomes.csv
  verimaild feedback`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(f.socket, func(c *client.Client) error {
				if len(args) == 0 {
					return showFeedback(cmd.Context(), io, c, f.json)
				}
				return reportFiles(cmd.Context(), io, c, &f, args)
			})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.socket, "socket", "", "the daemon's socket")
	fl.StringVar(&f.format, "format", "auto", "what the files are: auto, message, mbox, csv or ndjson")
	fl.BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

// reportFiles reports what is in each file, and prints what came of it.
func reportFiles(ctx context.Context, std stdio, c *client.Client, f *feedbackFlags, names []string) error {
	if !f.knownFormat() {
		return usageError{fmt.Errorf("--format %q: want auto, message, mbox, csv or ndjson", f.format)}
	}
	faulty := false
	for _, name := range names {
		reply, skipped, err := reportFile(ctx, std.in, c, f.format, name)
		if err != nil {
			return fmt.Errorf("%s: %w", printable(name), err)
		}
		faulty = faulty || reply.Faulty > 0
		if f.json {
			if err := printJSON(std, reply); err != nil {
				return err
			}
			continue
		}
		renderReports(std, name, &reply, skipped)
	}
	if faulty {
		return exitError(exitFailure)
	}
	return nil
}

// fewReports is up to how many reports each gets a line.
const fewReports = 20

// renderReports prints what came of a file: a line for each report if they are few, the sums, and what made no sense.
func renderReports(std stdio, name string, r *apitype.FeedbackReply, skipped int) {
	if r.Reports <= fewReports {
		for i := range r.Results {
			renderReport(std.out, &r.Results[i])
		}
	}
	fmt.Fprintf(std.out, "%s: %s\n", printable(name), sums(r, skipped))
	for _, f := range r.Faults {
		fmt.Fprintf(std.err, "%s:%d: %s\n", printable(name), f.Line, printable(f.Message))
	}
	if more := r.Faulty - int64(len(r.Faults)); more > 0 {
		fmt.Fprintf(std.err, "%s: and %d more that make no sense\n", printable(name), more)
	}
}

// renderReport prints what one report came to.
func renderReport(w io.Writer, r *apitype.FeedbackResult) {
	fmt.Fprintf(w, "%-10s  %-10s  %s", r.Effect, r.Says, printable(r.Email))
	var notes []string
	if r.Reason != nil {
		notes = append(notes, "now "+*r.Reason)
	}
	if r.Rule != nil {
		notes = append(notes, "rule "+*r.Rule)
	}
	if r.Exposed {
		notes = append(notes, "its domain accepts recipients that do not exist")
	}
	if len(notes) > 0 {
		fmt.Fprintf(w, "  (%s)", strings.Join(notes, "; "))
	}
	fmt.Fprintln(w)
}

// sums says in one line what came of a file.
func sums(r *apitype.FeedbackReply, skipped int) string {
	parts := []string{plural(r.Reports, "report")}
	for _, e := range []struct {
		n    int64
		what string
	}{
		{r.Effects.Remembered, "remembered"},
		{r.Effects.Confirmed, "confirmed"},
		{r.Effects.Corrected, "corrected"},
		{r.Effects.Contested, "contested"},
		{r.Effects.Duplicate, "reported before"},
		{r.Effects.Outdated, "outdated"},
		{r.Effects.None, "without a word about the address"},
		{r.Exposed, "exposed a domain"},
		{r.Counted, "counted"},
		{r.Faulty, "made no sense"},
		{int64(skipped), "messages passed over"},
	} {
		if e.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", e.n, e.what))
		}
	}
	return strings.Join(parts, ", ")
}

func plural(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// showFeedback prints how good the answers were.
func showFeedback(ctx context.Context, std stdio, c *client.Client, asJSON bool) error {
	st, err := c.Feedback(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(std, st)
	}
	renderFeedback(std.out, &st)
	return nil
}

// fewToJudge is below how many outcomes a share is no measure.
const fewToJudge = 50

func renderFeedback(w io.Writer, st *apitype.Feedback) {
	days := (time.Duration(st.WindowS) * time.Second).Hours() / 24
	if st.Total.Precision == nil {
		fmt.Fprintf(w, "No outcome of an address that was answered deliverable was reported in the last %.0f days.\n", days)
	} else {
		fmt.Fprintf(w, "Of addresses that were answered deliverable, by what was reported in the last %.0f days:\n", days)
		for i := range st.Providers {
			renderPrecision(w, &st.Providers[i], "other hosts")
		}
		renderPrecision(w, &st.Total, "all")
	}
	if len(st.Apps) > 0 {
		fmt.Fprintln(w, "Reported ever:")
	}
	for _, a := range st.Apps {
		fmt.Fprintf(w, "  %-20s %s: %d delivered, %d refused, %d other; %d corrected, %d contested, %s exposed; last %s\n", printable(a.Name),
			plural(int64(a.Reports), "report"), a.Delivered, a.Refused, a.Other, a.Corrected, a.Contested, plural(int64(a.Exposed), "domain"), //nolint:gosec // G115: counts.
			a.LastAt.Format(time.RFC3339))
	}
}

// renderPrecision prints one share. That of a few is marked.
func renderPrecision(w io.Writer, p *apitype.FeedbackPrecision, nobody string) {
	name := nobody
	if p.Provider != nil {
		name = printable(*p.Provider)
	}
	of := p.Delivered + p.Bounced
	if p.Precision == nil {
		return
	}
	fmt.Fprintf(w, "  %-20s %6.2f %% delivered, %d of %d", name, 100**p.Precision, p.Delivered, of)
	if of < fewToJudge {
		fmt.Fprint(w, " (few)")
	}
	fmt.Fprintln(w)
}
