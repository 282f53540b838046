// Package cli is the command line: one file per subcommand.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/config"
)

// Exit codes.
const (
	exitOK            = 0
	exitFailure       = 1
	exitUsage         = 2 // Usage or configuration.
	exitUnreachable   = 3 // No daemon answers.
	exitUndeliverable = 4 // verify: at least one address is undeliverable.
	exitUnknown       = 5 // verify: none is undeliverable, at least one is unknown.
)

// An exitError ends the command with a code, and says nothing: what there is to say has been said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// A usageError is a fault of the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// stdio is where a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// Main runs one command and returns its exit code. The first SIGINT or SIGTERM ends it in good order, the second at once.
func Main(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	root := newRoot(stdio{in, out, errOut})
	began := false
	adopt(root, &began)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && !began {
		err = usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	}
	return exitCode(err, errOut)
}

// adopt notes in began that a command of the tree runs: what goes wrong before that is a fault of the command line. A
// command that only has others below it shows its help.
func adopt(cmd *cobra.Command, began *bool) {
	run := cmd.RunE
	if run == nil {
		run = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		*began = true
		return run(cmd, args)
	}
	for _, c := range cmd.Commands() {
		adopt(c, began)
	}
}

// newRoot is the command tree.
func newRoot(io stdio) *cobra.Command {
	root := &cobra.Command{
		Use:           "verimaild",
		Short:         "Verifies e-mail addresses by asking the recipient's own mail server",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
	}
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		newServeCmd(io), newVerifyCmd(io), newExplainCmd(io), newConfigCmd(io), newDemoCmd(io), newVersionCmd(io),
	)
	root.AddCommand(newBulkCmd(io), newJobCmd(io))
	root.AddCommand(newCacheCmd(io), newDomainCmd(io), newEgressCmd(io), newFeedbackCmd(io))
	root.AddCommand(newManCmd(), newReloadCmd(io))
	root.AddCommand(newUsageCmd(io), newDoctorCmd(io), newStatusCmd(io), newTopCmd(io))
	return root
}

// exitCode prints what went wrong and maps it to a code.
func exitCode(err error, errOut io.Writer) int {
	if err == nil {
		return exitOK
	}
	if code, ok := errors.AsType[exitError](err); ok {
		return int(code)
	}
	fmt.Fprintf(errOut, "verimaild: %v\n", err)
	_, usage := errors.AsType[usageError](err)
	_, faults := errors.AsType[config.Faults](err)
	switch {
	case usage, faults:
		return exitUsage
	case errors.Is(err, client.ErrNoDaemon):
		return exitUnreachable
	default:
		return exitFailure
	}
}

// atLeastOne is cobra.MinimumNArgs(1) with an error that names what is missing.
func atLeastOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return usageError{fmt.Errorf("no %s given", what)}
		}
		return nil
	}
}
