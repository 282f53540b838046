package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

func newCacheCmd(io stdio) *cobra.Command {
	var socket string
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "See, forget or carry over what the daemon remembers",
		Long: `See, forget or carry over what the daemon remembers. Only root and the daemon's own user may.
Budgets, greylist tickets, jobs and usage are kept elsewhere and are never touched.`,
		Args: cobra.NoArgs,
	}
	cmd.PersistentFlags().StringVar(&socket, "socket", "", "the daemon's socket")
	cmd.AddCommand(newCacheStatsCmd(io, &socket), newCacheForgetCmd(io, &socket), newCacheExportCmd(io, &socket), newCacheImportCmd(io, &socket))
	return cmd
}

func newCacheStatsCmd(io stdio, socket *string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show how much is remembered, and how it serves",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(*socket, func(c *client.Client) error {
				st, err := c.CacheStats(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(io, st)
				}
				renderCacheStats(io, &st)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// ask runs a command against the daemon at a socket.
func ask(socket string, do func(*client.Client) error) error {
	c := client.Client{Socket: socket}
	defer c.CloseIdleConnections()
	return do(&c)
}

// renderCacheStats prints a screen of numbers.
func renderCacheStats(io stdio, st *apitype.CacheStats) {
	fmt.Fprintf(io.out, "in memory  %d records, about %s\n", st.Memory.Entries, size(st.Memory.Bytes))
	fmt.Fprintf(io.out, "on disk    %s", size(st.Disk.Bytes))
	switch {
	case !st.Disk.InUse:
		fmt.Fprint(io.out, ", not in use: there was no room for it when the daemon started")
	case st.Degraded:
		fmt.Fprint(io.out, ", full: what is learned now is kept in memory only")
	case st.Disk.Waiting > 0:
		fmt.Fprintf(io.out, ", %s waiting to be written", size(st.Disk.Waiting))
	}
	fmt.Fprintf(io.out, "\n\n")
	w := tabwriter.NewWriter(io.out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "LOOK-UPS OF\tFROM MEMORY\tFROM DISK\tMISSED\tHIT RATE\tSTALE\t")
	for _, k := range st.Lookups {
		renderLookups(w, strings.ReplaceAll(k.Kind, "_", " "), k.CacheLookups)
	}
	renderLookups(w, "all", st.Total)
	_ = w.Flush()
	if f := st.Faults; f.Bad+f.Void+f.Contradictions > 0 {
		fmt.Fprintf(io.out, "\nunreadable %d, forgotten while under way %d, facts found wrong %d\n", f.Bad, f.Void, f.Contradictions)
	}
	if d := st.Disk; d.Dropped+d.Failed+d.Damaged > 0 {
		fmt.Fprintf(io.out, "\nwrites dropped %d, writes failed %d, damaged reads %d\n", d.Dropped, d.Failed, d.Damaged)
	}
}

func renderLookups(w *tabwriter.Writer, what string, n apitype.CacheLookups) {
	rate := "-"
	if all := n.Memory + n.Disk + n.Misses; all > 0 {
		rate = fmt.Sprintf("%.1f %%", 100*float64(n.Memory+n.Disk)/float64(all))
	}
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%d\t\n", what, n.Memory, n.Disk, n.Misses, rate, n.Stale)
}

// size is a number of bytes for a person.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	default:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
}

func newCacheForgetCmd(io stdio, socket *string) *cobra.Command {
	var all, yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "forget ADDRESS|DOMAIN...",
		Short: "Forget addresses, domains with all their addresses, or everything",
		Long: `Forget addresses, domains with all their addresses, or (--all) everything. What is forgotten is gone from
memory and disk when the command returns, and an answer that is under way is not kept.`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return usageError{errors.New("--all forgets everything; name no addresses or domains with it")}
			case !all && len(args) == 0:
				return usageError{errors.New("no address or domain given, and no --all")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(*socket, func(c *client.Client) error {
				if all {
					return forgetAll(cmd.Context(), io, c, yes, asJSON)
				}
				return forget(cmd.Context(), io, c, args, asJSON)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "forget everything")
	cmd.Flags().BoolVar(&yes, "yes", false, "with --all: do not ask first")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print each result as one line of JSON")
	return cmd
}

// A forgotten is one result of forget, as --json prints it.
type forgotten struct {
	Subject string `json:"subject"` // The address or domain as given.
	apitype.Forgotten
}

// forget forgets what is named: what has an @ is an address. It stops at the first that cannot be.
func forget(ctx context.Context, io stdio, c *client.Client, names []string, asJSON bool) error {
	for _, name := range names {
		do := c.ForgetDomain
		if strings.Contains(name, "@") {
			do = c.ForgetAddress
		}
		f, err := do(ctx, name)
		if err != nil {
			return fmt.Errorf("%s: %w", printable(name), err)
		}
		if asJSON {
			if err := printJSON(io, forgotten{name, f}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(io.out, "%s: %s\n", printable(name), records(f))
	}
	return nil
}

// records says how many records were forgotten.
func records(f apitype.Forgotten) string {
	switch {
	case f.Records == nil:
		return "forgotten"
	case *f.Records == 0:
		return "was not remembered"
	case *f.Records == 1:
		return "forgotten (1 record)"
	default:
		return fmt.Sprintf("forgotten (%d records)", *f.Records)
	}
}

// forgetAll forgets everything, once somebody has said so.
func forgetAll(ctx context.Context, io stdio, c *client.Client, yes, asJSON bool) error {
	if !yes {
		fmt.Fprint(io.err, "Forget every answer and every fact about a domain? [y/N] ")
		line, err := bufio.NewReader(io.in).ReadString('\n')
		if err != nil && line == "" {
			fmt.Fprintln(io.err)
			return usageError{errors.New("nothing was forgotten: nobody answered; --yes forgets without asking")}
		}
		if a := strings.ToLower(strings.TrimSpace(line)); a != "y" && a != "yes" {
			return errors.New("nothing was forgotten")
		}
	}
	f, err := c.ForgetAll(ctx)
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(io, f)
	}
	fmt.Fprintln(io.out, "everything is forgotten")
	return nil
}
