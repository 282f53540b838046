package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon"
)

func newConfigCmd(io stdio) *cobra.Command {
	var path string
	cmd := &cobra.Command{Use: "config", Short: "Check or print the configuration", Args: cobra.NoArgs}
	cmd.PersistentFlags().StringVar(&path, "config", "", "configuration file")
	cmd.AddCommand(
		&cobra.Command{
			Use:   "check",
			Short: "Report every fault, each with its line and key",
			Args:  cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				cfg, err := load(path)
				if err != nil {
					return err
				}
				from := cfg.File()
				if from == "" {
					from = "no file; defaults and environment"
				}
				fmt.Fprintf(io.out, "configuration is valid (%s)\n", from)
				if cfg.Egress.Sender == "" {
					fmt.Fprintln(io.out, "note: egress.sender is not set, so no mail server will be asked")
				}
				return nil
			},
		},
		&cobra.Command{
			Use:   "print",
			Short: "Print the configuration in force, defaults and environment included",
			Args:  cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				cfg, err := config.Load(path, os.Environ())
				if err != nil {
					return err
				}
				_, err = io.out.Write(config.Marshal(cfg))
				return err
			},
		},
	)
	return cmd
}

// load reads the configuration and checks all of it.
func load(path string) (*config.Config, error) {
	return config.LoadWith(path, os.Environ(), daemon.Check)
}
