package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/daemon"
)

func newVersionCmd(io stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print what was built",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := daemon.Version()
			fmt.Fprintf(io.out, "verimaild %s", v.Version)
			if v.Commit != "" {
				fmt.Fprintf(io.out, " (%.12s, %s)", v.Commit, v.Built)
			}
			fmt.Fprintf(io.out, " %s %s/%s\n", v.Go, v.OS, v.Arch)
			return nil
		},
	}
}
