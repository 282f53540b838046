package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

func newDomainCmd(io stdio) *cobra.Command {
	var socket string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "domain",
		Short: "Show or forget what the daemon remembers of domains",
		Args:  cobra.NoArgs,
	}
	cmd.PersistentFlags().StringVar(&socket, "socket", "", "the daemon's socket")
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "print each result as one line of JSON")
	cmd.AddCommand(
		&cobra.Command{
			Use:   "show DOMAIN...",
			Short: "Show the mail hosts and habits of domains, as remembered",
			Long: `Show the mail hosts and habits of domains, as remembered; nobody is asked. Exit code 1 if nothing is remembered
of one of them.`,
			Args: atLeastOne("domain"),
			RunE: func(cmd *cobra.Command, args []string) error {
				return ask(socket, func(c *client.Client) error {
					return showDomains(io, args, asJSON, func(name string) (apitype.DomainRecord, error) {
						return c.Domain(cmd.Context(), name)
					})
				})
			},
		},
		&cobra.Command{
			Use:   "forget DOMAIN...",
			Short: "Forget domains and all their addresses",
			Args: func(cmd *cobra.Command, args []string) error {
				for _, a := range args {
					if strings.Contains(a, "@") {
						return usageError{fmt.Errorf(`%s is an address; "verimaild cache forget" takes those`, printable(a))}
					}
				}
				return atLeastOne("domain")(cmd, args)
			},
			RunE: func(cmd *cobra.Command, args []string) error {
				return ask(socket, func(c *client.Client) error { return forget(cmd.Context(), io, c, args, asJSON) })
			},
		},
	)
	return cmd
}

// showDomains prints what is remembered of each domain. It goes on where nothing is.
func showDomains(io stdio, names []string, asJSON bool, recall func(string) (apitype.DomainRecord, error)) error {
	code := exitOK
	for i, name := range names {
		r, err := recall(name)
		if refusal, ok := errors.AsType[*client.Error](err); ok && refusal.Code == apitype.CodeNotRemembered {
			fmt.Fprintf(io.err, "verimaild: %s\n", refusal.Message)
			code = exitFailure
			continue
		}
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", printable(name), err)
		case asJSON:
			if err := printJSON(io, r); err != nil {
				return err
			}
		default:
			if i > 0 {
				fmt.Fprintln(io.out)
			}
			renderDomain(io.out, &r)
		}
	}
	if code != exitOK {
		return exitError(code)
	}
	return nil
}

// renderDomain prints what is remembered of a domain.
func renderDomain(w io.Writer, r *apitype.DomainRecord) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-12s %s\n", name, printable(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintln(w, printable(r.Domain))
	if m := r.MailHosts; m != nil {
		row("mail hosts", "%s, %s", strings.ReplaceAll(m.Status, "_", " "), age(m.AgeS, m.Freshness, m.ExpiresAt))
		if m.Detail != "" {
			row("", "%s", printable(m.Detail))
		}
		if m.Implicit {
			row("", "no MX: the domain's own address")
		}
		for _, h := range m.Hosts {
			row("", "%s", mailHost(&h))
		}
	}
	if h := r.Habit; h != nil {
		row("habit", "%s, %s", habit(h), age(h.AgeS, h.Freshness, h.ExpiresAt))
		renderAll(w, h.Evidence, nil)
	}
	if !r.ContradictedAt.IsZero() {
		row("found wrong", "a habit on record, at %s", r.ContradictedAt.Format(time.RFC3339))
	}
}

func mailHost(h *apitype.MailHost) string {
	s := fmt.Sprintf("%s (%d) %s", printable(h.Host), h.Preference, strings.Join(h.Addresses, " "))
	if len(h.Refused) > 0 {
		s += " not to be dialled: " + strings.Join(h.Refused, " ")
	}
	return strings.TrimSpace(s)
}

// habit says how the domain treats recipients.
func habit(h *apitype.DomainHabit) string {
	switch {
	case h.Reason != "":
		return "answers " + h.Reason + " for every recipient"
	case h.AcceptsAll == nil:
		return "not known"
	case *h.AcceptsAll:
		return "accepts made-up recipients"
	default:
		return "refuses made-up recipients"
	}
}

// age says how old a record is and how long it is kept.
func age(seconds int64, freshness string, expires time.Time) string {
	return fmt.Sprintf("%v old, %s, kept until %s", time.Duration(seconds)*time.Second, freshness, expires.Format(time.RFC3339))
}
