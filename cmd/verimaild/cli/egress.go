package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

func newEgressCmd(io stdio) *cobra.Command {
	var socket string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "egress",
		Short: "Show what asks mail servers, and take sources out of service",
		Args:  cobra.NoArgs,
	}
	cmd.PersistentFlags().StringVar(&socket, "socket", "", "the daemon's socket")
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "print the result as one line of JSON")
	cmd.AddCommand(
		newEgressStatusCmd(io, &socket, &asJSON),
		newEgressTurnCmd(io, &socket, &asJSON, "drain", "Let sources take no new domains, until they are resumed", (*client.Client).DrainSource),
		newEgressTurnCmd(io, &socket, &asJSON, "resume", "Let drained sources take new domains again", (*client.Client).ResumeSource),
	)
	return cmd
}

func newEgressStatusCmd(io stdio, socket *string, asJSON *bool) *cobra.Command {
	var sites int
	cmd := &cobra.Command{
		Use:   "status [SITE]",
		Short: "Show sources, sites, budgets, sessions and refusals",
		Long: `Show sources, sites, budgets, sessions and refusals. SITE picks the sites with a host, a domain or a provider that
contains it.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(*socket, func(c *client.Client) error {
				e, err := c.Egress(cmd.Context(), strings.Join(args, ""), sites)
				switch {
				case err != nil:
					return err
				case *asJSON:
					return printJSON(io, e)
				}
				renderEgress(io.out, &e, time.Now())
				return nil
			})
		},
	}
	cmd.Flags().IntVar(&sites, "sites", 20, "show at most so many sites")
	return cmd
}

// newEgressTurnCmd is a command that changes sources.
func newEgressTurnCmd(
	io stdio, socket *string, asJSON *bool, name, short string,
	turn func(*client.Client, context.Context, string) (apitype.EgressSource, error),
) *cobra.Command {
	return &cobra.Command{
		Use:   name + " SOURCE...",
		Short: short,
		Args:  atLeastOne("source"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(*socket, func(c *client.Client) error {
				for _, source := range args {
					s, err := turn(c, cmd.Context(), source)
					switch {
					case err != nil:
						return err
					case *asJSON:
						if err := printJSON(io, s); err != nil {
							return err
						}
					default:
						renderSource(io.out, &s)
					}
				}
				return nil
			})
		},
	}
}

func renderEgress(w io.Writer, e *apitype.Egress, now time.Time) {
	fmt.Fprintf(w, "sessions  %d open: %d busy, %d idle%s\n", e.Sessions.Open, e.Sessions.Busy, e.Sessions.Idle, most(e.MaxSessions))
	if e.PausedUntil != nil {
		fmt.Fprintf(w, "paused    until %s: nothing can be reached, so this host's own network is taken to be down\n", clock(e.PausedUntil))
	}
	renderSender(w, &e.Sender)
	fmt.Fprintln(w, "\nsources")
	for i := range e.Sources {
		renderSource(w, &e.Sources[i])
	}
	for i := range e.Sites {
		renderSite(w, &e.Sites[i], now)
	}
	if e.SitesLeft > 0 {
		fmt.Fprintf(w, "\n%d more sites; --sites shows more of them\n", e.SitesLeft)
	}
	for i := range e.Providers {
		p := &e.Providers[i]
		fmt.Fprintf(w, "\nall of %s: %s%s%s\n", printable(p.ID), things(p.Sessions, "session"), when(", next probe", p.NextProbe, now),
			when(", at half the rate, for several sources were too fast; over", p.SlowUntil, now))
		renderBudgets(w, p.Budgets, now)
	}
	if len(e.Outages) > 0 {
		fmt.Fprintln(w, "\nout of reach from several sources")
	}
	for i := range e.Outages {
		o := &e.Outages[i]
		fmt.Fprintf(w, "  %s [%s]%s\n", printable(o.Host), printable(o.IP), when(", tried again", o.Until, now))
	}
	if len(e.Refusals) > 0 {
		fmt.Fprintln(w, "\nlast refusals")
	}
	for i := range e.Refusals {
		r := &e.Refusals[i]
		fmt.Fprintf(w, "  %s  %s at %s, %s: %s\n", r.At.Format(time.RFC3339), printable(r.Source), printable(cmp.Or(r.Host, r.Site)), r.Stage, printable(r.Text))
	}
}

// renderSender says what is wrong with the reverse-path; nothing if nothing is.
func renderSender(w io.Writer, s *apitype.EgressSender) {
	switch {
	case s.OpenUntil != nil:
		fmt.Fprintf(w, "sender    mail servers that have nothing to do with each other refuse %s: nothing is asked until %s\n", printable(s.Domain), clock(s.OpenUntil))
	case s.Refusal != nil:
		fmt.Fprintf(w, "sender    mail servers refused %s; the next question shows whether they still do\n", printable(s.Domain))
	default:
		return
	}
	if r := s.Refusal; r != nil {
		fmt.Fprintf(w, "          %s at %s: %s\n", printable(r.Host), r.Stage, printable(r.Text))
	}
	fmt.Fprintln(w, "          see what verimaild doctor says of the sender, mend its domain or change egress.sender, then verimaild reload")
}

func renderSource(w io.Writer, s *apitype.EgressSource) {
	var addrs []string
	for _, a := range []*string{s.IPv4, s.IPv6} {
		if a != nil {
			addrs = append(addrs, *a)
		}
	}
	fmt.Fprintf(w, "  %-12s %-10s %s as %s, %s at %s", printable(s.Name), s.State, cmp.Or(strings.Join(addrs, " "), "the kernel's choice"), printable(s.EHLO), things(s.Sessions, "session"), things(s.Sites, "site"))
	if s.ProbesLeft != nil {
		fmt.Fprintf(w, ", warming up: %d probes left today", *s.ProbesLeft)
	}
	fmt.Fprintln(w)
	if s.Why != nil {
		fmt.Fprintf(w, "  %-12s %s", "", printable(*s.Why))
		if s.Until != nil {
			fmt.Fprintf(w, "; until %s", clock(s.Until))
		}
		fmt.Fprintln(w)
	}
}

func renderSite(w io.Writer, s *apitype.EgressSite, now time.Time) {
	fmt.Fprintf(w, "\nsite %s", printable(strings.Join(s.Hosts, " ")))
	if s.Provider != nil {
		fmt.Fprintf(w, " (%s)", printable(*s.Provider))
	}
	if s.Domain != nil {
		fmt.Fprintf(w, " for %s", printable(*s.Domain))
	}
	fmt.Fprintln(w)
	renderBudgets(w, s.Budgets, now)
	if l := learned(&s.Learned); l != "" {
		fmt.Fprintf(w, "  learned      %s\n", l)
	}
	for i := range s.Paths {
		p := &s.Paths[i]
		fmt.Fprintf(w, "  from %-7s %s, %s (%d idle), %d in the last hour, %d waiting", printable(p.Source), p.State, things(p.Sessions.Open, "session"), p.Sessions.Idle, p.SessionsHour, p.Waiting)
		if p.ProbesPerMinute != nil {
			fmt.Fprintf(w, ", %.3g probes a minute", *p.ProbesPerMinute)
		}
		if p.Sample > 0 {
			fmt.Fprintf(w, ", %.0f %% dead of the last %d", 100*p.DeadShare, p.Sample)
		}
		fmt.Fprintln(w, when(", next probe", p.NextProbe, now)+when(", next session", p.NextDial, now))
		if p.Refusal != nil {
			fmt.Fprintf(w, "    refused at %s: %s%s\n", p.Refusal.Stage, printable(p.Refusal.Text), when("; asked again", p.OpenUntil, now))
		}
	}
}

func renderBudgets(w io.Writer, budgets []apitype.EgressBudget, now time.Time) {
	for i := range budgets {
		b := &budgets[i]
		prefix := "any address"
		if b.Prefix != nil {
			prefix = *b.Prefix
		}
		fmt.Fprintf(w, "  budget       %s: %s; %s\n", prefix, allowance("refusals", &b.Refusals, now), allowance("controls", &b.Controls, now))
	}
}

// allowance says what is left of a budget, and when there is more.
func allowance(what string, a *apitype.EgressAllowance, now time.Time) string {
	if a.Left == nil || a.Limit == nil {
		return fmt.Sprintf("%s %d in the last hour, without limit", what, a.Spent)
	}
	return fmt.Sprintf("%s %d of %d left%s%s", what, *a.Left, *a.Limit, when(", more", a.RoomAt, now), when(", all", a.Refills, now))
}

// learned says what a site has shown that it takes.
func learned(l *apitype.EgressLearned) string {
	var out []string
	count := func(n *int, what string) {
		if n != nil {
			out = append(out, fmt.Sprintf("%d %s", *n, what))
		}
	}
	count(l.RecipientsPerTransaction, "recipients a transaction")
	count(l.TransactionsPerSession, "transactions a session")
	count(l.RefusalsPerSession, "refusals a session")
	if l.IdleMS != nil {
		out = append(out, fmt.Sprintf("closes after %v of idling", time.Duration(*l.IdleMS)*time.Millisecond))
	}
	if l.SessionAgeMS != nil {
		out = append(out, fmt.Sprintf("closes after %v", time.Duration(*l.SessionAgeMS)*time.Millisecond))
	}
	for _, h := range l.BrokenPipelining {
		out = append(out, "no pipelining at "+printable(h))
	}
	for _, h := range l.BrokenTLS {
		out = append(out, "no TLS at "+printable(h))
	}
	return strings.Join(out, ", ")
}

// most says how many there may be.
func most(n *int) string {
	if n == nil {
		return ""
	}
	return fmt.Sprintf(", at most %d", *n)
}

// when says what happens in how long; nothing if it has no time.
func when(what string, t *time.Time, now time.Time) string {
	if t == nil {
		return ""
	}
	return fmt.Sprintf("%s in %v", what, max(0, t.Sub(now)).Round(time.Second))
}

func clock(t *time.Time) string { return t.Local().Format("15:04:05") }
