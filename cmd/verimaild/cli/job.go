package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

func newJobCmd(io stdio) *cobra.Command {
	var socket string
	cmd := &cobra.Command{
		Use:   "job",
		Short: "See and steer the jobs that work off lists",
		Long: `See and steer the jobs that work off lists. An application sees its own jobs; root and the daemon's own user see all.
"verimaild bulk run" makes one.`,
		Args: cobra.NoArgs,
	}
	cmd.PersistentFlags().StringVar(&socket, "socket", "", "the daemon's socket")
	cmd.AddCommand(newJobListCmd(io, &socket), newJobShowCmd(io, &socket), newJobResultsCmd(io, &socket), newJobRerunCmd(io, &socket))
	for _, c := range []struct {
		use, short, done string
		do               func(*client.Client, context.Context, string) (apitype.Job, error)
	}{
		{"pause", "Take no more rows of jobs until they are resumed", "paused", (*client.Client).PauseJob},
		{"resume", "Go on with paused jobs", "goes on", (*client.Client).ResumeJob},
		{"cancel", "End jobs; rows without an outcome stay so", "cancelled", (*client.Client).CancelJob},
		{"delete", "Delete jobs with their lists and outcomes", "deleted", (*client.Client).DeleteJob},
	} {
		cmd.AddCommand(&cobra.Command{
			Use: c.use + " JOB...", Short: c.short, Args: atLeastOne("job"),
			RunE: func(cmd *cobra.Command, ids []string) error {
				return ask(socket, func(cl *client.Client) error {
					for _, id := range ids {
						if _, err := c.do(cl, cmd.Context(), id); err != nil {
							return fmt.Errorf("%s: %w", printable(id), err)
						}
						fmt.Fprintf(io.out, "%s: %s\n", printable(id), c.done)
					}
					return nil
				})
			},
		})
	}
	return cmd
}

func newJobListCmd(io stdio, socket *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List jobs, the newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(*socket, func(c *client.Client) error { return jobList(cmd.Context(), io, c, asJSON) })
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print each job as one line of JSON")
	return cmd
}

func jobList(ctx context.Context, std stdio, c *client.Client, asJSON bool) error {
	t := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	n := 0
	for j, err := range c.Jobs(ctx) {
		switch {
		case err != nil:
			return err
		case asJSON:
			if err := printJSON(std, j); err != nil {
				return err
			}
			continue
		case n == 0:
			fmt.Fprintln(t, "JOB\tSTATE\tDONE\tROWS\tCREATED\tAPP\tLIST")
		}
		n++
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", j.ID, j.State, percentDone(&j), grouped(j.Rows),
			j.CreatedAt.Local().Format("2006-01-02 15:04"), printable(j.App), printable(j.Name))
	}
	if n == 0 && !asJSON {
		fmt.Fprintln(std.err, "There are no jobs.")
	}
	return t.Flush()
}

func percentDone(j *apitype.Job) string {
	if j.Rows == 0 {
		return "-"
	}
	return fmt.Sprintf("%d %%", 100*j.Done/j.Rows)
}

func newJobShowCmd(io stdio, socket *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "show JOB", Short: "Show how a job stands", Args: exactlyOne("job"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(*socket, func(c *client.Client) error {
				j, err := c.Job(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(io, j)
				}
				renderJob(io.out, &j)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// renderJob prints a screen about a job.
func renderJob(w io.Writer, j *apitype.Job) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-12s %s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	row("job", "%s of %s: %s", j.ID, printable(j.App), j.State)
	if j.Problem != "" {
		row("problem", "%s", printable(j.Problem))
	}
	name := j.Name
	if name == "" {
		name = "without a name"
	}
	row("list", "%s, %s: %s", printable(name), size(j.List.Bytes), printable(j.List.Description))
	if j.RerunOf != "" {
		row("rerun of", "%s, its rows that were %s", j.RerunOf, dropless(j.Took))
	}
	row("created", "%s", j.CreatedAt.Local().Format(time.RFC3339))
	switch {
	case j.EndedAt.IsZero():
		row("progress", "%s", progressWords(j))
	case j.ExpiresAt.IsZero():
		row("ended", "%s", j.EndedAt.Local().Format(time.RFC3339))
	default:
		row("ended", "%s; kept until %s", j.EndedAt.Local().Format(time.RFC3339), j.ExpiresAt.Local().Format(time.RFC3339))
	}
	for _, h := range j.Progress.Holds {
		row("", "%s", holdLine(&h))
	}
	if h := j.Webhook; h != nil {
		row("webhook", "%s", webhookLine(h))
	}
	fmt.Fprintln(w)
	renderSummary(w, j, time.Since(j.CreatedAt))
}

func dropless(verdicts []string) string { return dropped(verdicts)[len("without "):] }

func webhookLine(h *apitype.JobWebhook) string {
	switch {
	case !h.DeliveredAt.IsZero():
		return "told at " + h.DeliveredAt.Local().Format(time.RFC3339)
	case !h.NextAt.IsZero() && h.Tries > 0:
		return fmt.Sprintf("not told yet after %d tries (%s); again at %s", h.Tries, printable(h.Problem), h.NextAt.Local().Format(time.RFC3339))
	case h.Tries > 0:
		return fmt.Sprintf("given up after %d tries: %s", h.Tries, printable(h.Problem))
	default:
		return "told at the job's end"
	}
}

func newJobResultsCmd(io stdio, socket *string) *cobra.Command {
	var f outFlags
	cmd := &cobra.Command{
		Use:   "results JOB",
		Short: "Write a job's list with the outcomes that there are, finished or not",
		Args:  exactlyOne("job"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(*socket, func(c *client.Client) error { return saveResults(cmd.Context(), io, c, args[0], &f) })
		},
	}
	f.add(cmd)
	return cmd
}

func newJobRerunCmd(io stdio, socket *string) *cobra.Command {
	var verdicts []string
	cmd := &cobra.Command{
		Use:   "rerun JOB",
		Short: "Make a new job of the rows that are unknown",
		Args:  exactlyOne("job"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(*socket, func(c *client.Client) error {
				j, err := c.RerunJob(cmd.Context(), args[0], verdicts...)
				if err != nil {
					return err
				}
				fmt.Fprintln(io.out, j.ID)
				fmt.Fprintf(io.err, "See how it gets on: verimaild bulk join %s -o OUT\n", j.ID)
				return nil
			})
		},
	}
	cmd.Flags().StringSliceVar(&verdicts, "verdict", nil, "take rows with these verdicts instead")
	return cmd
}
