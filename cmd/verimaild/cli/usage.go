package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

func newUsageCmd(io stdio) *cobra.Command {
	var socket, app, from, to string
	var asJSON, days bool
	cmd := &cobra.Command{
		Use:   "usage",
		Short: "Show what each application has asked, and what is left of its quotas",
		Long: `Show what each application has asked, and what is left of its quotas. Without --from and --to: this month. Days are
in UTC. Other applications' usage is shown to root, the daemon's own user and those with the scope admin only.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts := client.UsageOptions{App: app}
			for _, d := range []struct {
				flag, text string
				to         *time.Time
			}{{"--from", from, &opts.From}, {"--to", to, &opts.To}} {
				if d.text == "" {
					continue
				}
				t, err := time.Parse(time.DateOnly, d.text)
				if err != nil {
					return usageError{fmt.Errorf("%s %q is not a date such as 2026-11-23", d.flag, d.text)}
				}
				*d.to = t
			}
			return ask(socket, func(c *client.Client) error {
				u, err := c.Usage(cmd.Context(), opts)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(io, u)
				}
				renderUsage(io.out, &u, days)
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&socket, "socket", "", "the daemon's socket")
	f.StringVar(&app, "app", "", "one application only")
	f.StringVar(&from, "from", "", "the first day, such as 2026-11-01")
	f.StringVar(&to, "to", "", "the last day")
	f.BoolVar(&days, "days", false, "show each day")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// renderUsage prints one line for each application, or for each of its days, and then what is left of the quotas.
func renderUsage(out io.Writer, u *apitype.Usage, days bool) {
	fmt.Fprintf(out, "%s to %s\n\n", u.From, u.To)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "APPLICATION\tDELIVERABLE\tRISKY\tUNDELIVERABLE\tUNKNOWN\tFROM MEMORY\tCHARGED\tREFUSED\t")
	for _, a := range u.Apps {
		if days {
			for _, d := range a.Days {
				renderCounts(w, printable(a.App)+" "+d.Date, &d.UsageCounts)
			}
		}
		renderCounts(w, printable(a.App), &a.Total)
	}
	_ = w.Flush()
	for _, a := range u.Apps {
		renderQuotas(out, &a)
	}
}

// renderQuotas prints what is left of an application's quotas.
func renderQuotas(out io.Writer, a *apitype.AppUsage) {
	for i, q := range a.Quotas {
		if i == 0 {
			fmt.Fprintf(out, "\n%s\n", printable(a.App))
		}
		fmt.Fprintf(out, "  %-11s %d of %d used", strings.ReplaceAll(q.Name, "_", " "), q.Used, q.Limit)
		if q.ResetsAt != nil && q.Used > 0 {
			fmt.Fprintf(out, "; all of it again %s", q.ResetsAt.Format(time.RFC3339))
		}
		fmt.Fprintln(out)
	}
}

func renderCounts(w io.Writer, name string, c *apitype.UsageCounts) {
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name,
		c.Asked.Deliverable+c.Cached.Deliverable, c.Asked.Risky+c.Cached.Risky,
		c.Asked.Undeliverable+c.Cached.Undeliverable, c.Asked.Unknown+c.Cached.Unknown,
		c.Cached.Sum(), c.Charged, c.Refused)
}
