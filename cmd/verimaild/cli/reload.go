package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/client"
)

func newReloadCmd(io stdio) *cobra.Command {
	var socket string
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have the daemon read its configuration again, and wait until it has",
		Long: `Have the daemon read its configuration again, and wait until it has. With a fault in it the old configuration stays
in force, and the exit code is 1. Keys whose change needs a restart are named. Only root and the daemon's own user may.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return ask(socket, func(c *client.Client) error {
				r, err := c.Reload(cmd.Context())
				if err != nil {
					return err
				}
				if len(r.NeedsRestart) > 0 {
					fmt.Fprintf(io.out, "needs a restart: %s\n", strings.Join(r.NeedsRestart, ", "))
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&socket, "socket", "", "the daemon's socket")
	return cmd
}
