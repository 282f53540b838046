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

func newStatusCmd(io stdio) *cobra.Command {
	var socket string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show on one screen how the daemon does",
		Long: `Show on one screen how the daemon does: healthy or why not, its sources, what waits and for what, rates of the last
minute, memory, applications and jobs. What belongs to all applications is shown to who may see it: root, the daemon's own
user, and those with the scope admin. The exit code is 1 if addresses cannot be verified to the end.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(socket, func(c *client.Client) error {
				p, err := takePicture(cmd.Context(), c)
				if err != nil {
					return err
				}
				if asJSON {
					err = printJSON(io, p.Status)
				} else {
					renderStatus(io.out, p)
				}
				if err == nil && !p.Status.Ready {
					return exitError(exitFailure)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&socket, "socket", "", "the daemon's socket")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print GET /v1/status as JSON")
	return cmd
}

// A picture is what status and top show.
type picture struct {
	Status apitype.Status
	Egress *apitype.Egress // nil for who may not see it, or where no mail server is asked.
	Jobs   []apitype.Job   // That are not over, the newest first; none for who may not see them.
	At     time.Time
}

const (
	pictureSites = 500
	pictureJobs  = 20
)

// takePicture asks for what the caller may see. What it may not is left out.
func takePicture(ctx context.Context, c *client.Client) (p picture, err error) {
	if p.Status, err = c.Status(ctx); err != nil {
		return p, err
	}
	p.At = time.Now()
	if e, err := c.Egress(ctx, "", pictureSites); err == nil {
		p.Egress = &e
	}
	for j, err := range c.Jobs(ctx) {
		if err != nil || len(p.Jobs) == pictureJobs {
			break
		}
		switch j.State {
		case apitype.JobPreparing, apitype.JobRunning, apitype.JobPaused:
			p.Jobs = append(p.Jobs, j)
		}
	}
	return p, nil
}

// renderStatus prints one screen.
func renderStatus(w io.Writer, p picture) {
	for _, line := range headLines(&p.Status) {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintln(w)
	sections := []struct {
		title string
		lines []string
	}{
		{"sources", sourceLines(p)},
		{"work", workLines(p)},
		{"last minute", rateLines(&p.Status.Rates)},
		{"memory", memoryLines(p.Status.Cache)},
		{"applications", appLines(p.Status.Apps)},
		{"feedback", feedbackLines(p.Status.Feedback)},
		{"jobs", jobLines(p.Jobs)},
	}
	for _, s := range sections {
		for i, line := range s.lines {
			title := s.title
			if i > 0 {
				title = ""
			}
			fmt.Fprintf(w, "%-13s %s\n", title, line)
		}
	}
}

// headLines say whether all is well, and if not, why.
func headLines(s *apitype.Status) []string {
	how := "healthy"
	switch {
	case !s.Ready:
		how = "NOT READY"
	case len(s.Problems) > 0:
		how = "ready, with warnings"
	}
	sandbox := ""
	if s.Sandbox {
		sandbox = ", a sandbox"
	}
	out := []string{fmt.Sprintf("verimaild %s: %s, up %s%s", s.Version, how, lasting(time.Duration(s.UptimeS)*time.Second), sandbox)}
	for _, p := range s.Problems {
		out = append(out, fmt.Sprintf("  %s: %s", p.Code, printable(p.Message)))
	}
	return out
}

func sourceLines(p picture) []string {
	if p.Egress == nil {
		var out []string
		for _, s := range p.Status.Sources {
			line := fmt.Sprintf("%-12s %s", printable(s.Name), things(s.Sessions, "session"))
			if s.SuspendedUntil != nil {
				line += fmt.Sprintf(", asks nobody until %s: %s", clockTime(*s.SuspendedUntil), printable(*s.SuspendedWhy))
			}
			out = append(out, line)
		}
		return orNone(out)
	}
	var out []string
	for _, s := range p.Egress.Sources {
		line := fmt.Sprintf("%-12s %-9s %s at %s", printable(s.Name), s.State, things(s.Sessions, "session"), things(s.Sites, "site"))
		if s.ProbesLeft != nil {
			line += fmt.Sprintf(", %d questions left today", *s.ProbesLeft)
		}
		if s.Why != nil {
			line += ": " + printable(*s.Why)
		}
		out = append(out, line)
	}
	return orNone(out)
}

func orNone(lines []string) []string {
	if len(lines) == 0 {
		return []string{"none"}
	}
	return lines
}

func workLines(p picture) []string {
	w := &p.Status.Work
	out := []string{
		fmt.Sprintf("%s waiting; %d sessions busy, %d idle, at %s", things(w.Waiting, "recipient"), w.SessionsBusy, w.SessionsIdle, things(w.Sites, "site")),
		fmt.Sprintf("%s from applications, %s", things(w.Connections, "connection"), things(w.Streams, "stream")),
	}
	if w.SpoolBytes > 0 {
		out[1] += fmt.Sprintf(" (%s read ahead)", size(w.SpoolBytes))
	}
	return append(out, holdLines(p)...)
}

// holdLines say what waits, and for what, at the sites where the most does.
func holdLines(p picture) []string {
	const most = 5
	var out []string
	for _, r := range siteRows(p) {
		if r.waiting > 0 && r.forWhat != "" && len(out) < most {
			out = append(out, fmt.Sprintf("%s for %s: %s", things(r.waiting, "recipient"), r.name, r.forWhat))
		}
	}
	return out
}

func rateLines(r *apitype.StatusRates) []string {
	answers := r.Asked + r.Cached
	first := things(int(answers), "answer")
	if answers > 0 {
		first += fmt.Sprintf(", %.0f %% from memory", 100*float64(r.Cached)/float64(answers))
	}
	if r.Refused > 0 {
		first += fmt.Sprintf("; %d addresses refused by quotas", r.Refused)
	}
	second := fmt.Sprintf("%s asked about in %s", things(int(r.Recipients), "recipient"), things(int(r.Sessions), "new session"))
	if r.Recipients > 0 {
		second += fmt.Sprintf(", %.0f %% of them refused", 100*float64(r.Refusals)/float64(r.Recipients))
	}
	return []string{first, second}
}

func memoryLines(c *apitype.StatusCache) []string {
	if c == nil {
		return []string{"none: this daemon remembers nothing"}
	}
	line := fmt.Sprintf("%s (%s), %s on disk", things(int(c.Entries), "record"), size(c.Bytes), size(c.DiskBytes))
	if c.HitRate != nil {
		line += fmt.Sprintf(", hit rate %.0f %%", 100**c.HitRate)
	}
	if c.Degraded {
		line += "; THE DISK IS FULL, what is learned now is kept in memory only"
	}
	return []string{line}
}

// feedbackLines say how good the answer deliverable was.
func feedbackLines(measures []apitype.StatusFeedback) []string {
	var out []string
	for _, m := range measures {
		out = append(out, fmt.Sprintf("%-12s %.1f %% of %d messages to deliverable addresses were delivered",
			printable(m.Provider), 100*m.Precision, m.Delivered+m.Bounced))
	}
	return out
}

func appLines(apps []apitype.StatusApp) []string {
	var out []string
	for _, a := range apps {
		parts := []string{fmt.Sprintf("%-12s %d asked, %d from memory, %d refused", printable(a.App), a.Asked, a.Cached, a.Refused)}
		for _, q := range a.Quotas {
			parts = append(parts, fmt.Sprintf("%d/%d %s", q.Used, q.Limit, strings.ReplaceAll(q.Name, "_", " ")))
		}
		out = append(out, strings.Join(parts, "; "))
	}
	return orNone(out)
}

func jobLines(jobs []apitype.Job) []string {
	var out []string
	for _, j := range jobs {
		name := j.Name
		if name == "" {
			name = j.ID
		}
		line := fmt.Sprintf("%-12s %s, %d of %d rows", printable(name), j.State, j.Done, j.Rows)
		if j.Progress.LeftS != nil {
			line += ", about " + lasting(time.Duration(*j.Progress.LeftS)*time.Second) + " to go"
		}
		if j.Problem != "" {
			line += ": " + printable(j.Problem)
		}
		out = append(out, line)
	}
	return orNone(out)
}

// things is a number of things.
func things(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// lasting is a duration for a person: two units of it.
func lasting(d time.Duration) string {
	d = d.Round(time.Second)
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days %dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	case d >= time.Minute:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// clockTime is a moment near now.
func clockTime(t time.Time) string { return t.Local().Format("15:04:05") }
