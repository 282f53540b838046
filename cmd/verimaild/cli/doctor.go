package cli

import (
	"cmp"
	"context"
	"errors"
	"os"
	"sync"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon"
	"github.com/verimails/verimaild/daemon/doctor"
)

// doctorFlags are the flags of doctor.
type doctorFlags struct {
	config, socket string
	json           bool
}

func newDoctorCmd(io stdio) *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at all that the daemon depends on, and say what to do",
		Long: `Look at all that the daemon depends on, and say what to do: the configuration, the daemon itself if one runs, its
state directory and disk, descriptors and clock, the name servers, each source as a receiver sees it (address, port 25,
PTR, EHLO name, SPF, block lists), and the sender. One line a check:

  ok     in order
  note   good to know
  ?      could not be found out
  WARN   some receivers will refuse to answer
  FAIL   does not work

The exit code is 0 if no line says WARN or FAIL, 2 if the configuration has a fault, and 1 otherwise. For each source
one mail server, three at most, is connected to and told QUIT. To see all, run it as root.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd.Context(), io, &f) },
	}
	cmd.Flags().StringVar(&f.config, "config", "", "configuration file")
	cmd.Flags().StringVar(&f.socket, "socket", "", "the daemon's socket, if not the configured one")
	cmd.Flags().BoolVar(&f.json, "json", false, "print one JSON object")
	return cmd
}

// A diagnosis is what doctor --json prints.
type diagnosis struct {
	OK      bool             `json:"ok"` // Nothing is wrong.
	Failed  int              `json:"failed"`
	Warned  int              `json:"warned"`
	Unknown int              `json:"unknown"`
	Checks  []doctor.Finding `json:"checks"`
}

// add counts a finding.
func (d *diagnosis) add(f doctor.Finding) {
	d.Checks = append(d.Checks, f)
	switch f.State {
	case doctor.Fail:
		d.Failed++
	case doctor.Warn:
		d.Warned++
	case doctor.Unknown:
		d.Unknown++
	}
	d.OK = d.Failed+d.Warned == 0
}

func runDoctor(ctx context.Context, io stdio, f *doctorFlags) error {
	opts, faults := doctorOptions(f)
	verify, done := localVerify(ctx, io, f.config)
	defer done()
	if opts.Config != nil && len(faults) == 0 {
		opts.Verify = verify
	}
	paint := painter(io.out)
	d := diagnosis{OK: true, Checks: []doctor.Finding{}}
	doctor.Examine(ctx, opts, func(found doctor.Finding) {
		d.add(found)
		if !f.json {
			printFinding(io.out, paint, &found)
		}
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if f.json {
		if err := printJSON(io, d); err != nil {
			return err
		}
	} else {
		printDiagnosis(io.out, &d)
	}
	switch {
	case len(faults) > 0:
		return exitError(exitUsage)
	case !d.OK:
		return exitError(exitFailure)
	default:
		return nil
	}
}

// doctorOptions reads the configuration as far as that is possible.
func doctorOptions(f *doctorFlags) (doctor.Options, config.Faults) {
	opts := doctor.Options{Version: daemon.Version(), Socket: cmp.Or(f.socket, os.Getenv(client.SocketEnv))}
	cfg, err := config.Load(f.config, os.Environ())
	if err == nil {
		opts.Config = cfg
		opts.Socket = cmp.Or(opts.Socket, cfg.Socket.Path)
		err = daemon.Check(cfg)
	}
	opts.Socket = cmp.Or(opts.Socket, client.DefaultSocket())
	if faults, ok := errors.AsType[config.Faults](err); ok {
		opts.Faults = faults
	} else if err != nil {
		opts.Faults = config.Faults{{Problem: err.Error(), Err: err}}
	}
	return opts, opts.Faults
}

// localVerify verifies addresses by a daemon in this process, which is started for the first and ended by done.
func localVerify(ctx context.Context, io stdio, path string) (verify func(context.Context, string) (apitype.Answer, error), done func()) {
	var stop func()
	c := client.Client{}
	start := sync.OnceValue(func() (err error) {
		stop, c.Socket, err = startLocal(ctx, io, path, "")
		return err
	})
	verify = func(ctx context.Context, email string) (apitype.Answer, error) {
		if err := start(); err != nil {
			return apitype.Answer{}, err
		}
		return c.Verify(ctx, email)
	}
	return verify, func() {
		if stop != nil {
			c.CloseIdleConnections()
			stop()
		}
	}
}
