package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon"
)

func newServeCmd(stdio) *cobra.Command {
	var path string
	var sandbox bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon",
		Long: `Run the daemon until SIGTERM or SIGINT. SIGHUP reloads the configuration.

Without --config the file is the first that exists of /etc/verimaild/verimaild.yaml and
verimaild/verimaild.yaml in the XDG configuration directory; with none, the defaults hold.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			hup := make(chan os.Signal, 1)
			signal.Notify(hup, syscall.SIGHUP) // Before the daemon is made: a reload that comes early must not end it.
			defer signal.Stop(hup)
			d, err := open(path, sandbox)
			if err != nil {
				daemon.Failing(err)
				if daemon.MayPass(err) {
					err = errors.New(err.Error()) // A failure, to be tried again, and no fault of the configuration's.
				}
				return err
			}
			return serve(cmd.Context(), d, path, hup)
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "configuration file")
	cmd.Flags().BoolVar(&sandbox, "sandbox", false, "ask an embedded world of mail servers, and no other")
	return cmd
}

// open makes a daemon from the configuration at path.
func open(path string, sandbox bool) (*daemon.Daemon, error) {
	cfg, err := load(path)
	if err != nil {
		return nil, err
	}
	return daemon.New(daemon.Options{
		Config: cfg, Sandbox: sandbox, Read: func() (*config.Config, error) { return config.Load(path, os.Environ()) },
	})
}

// serve runs d until ctx is done, and reloads the configuration at path for each hup.
func serve(ctx context.Context, d *daemon.Daemon, path string, hup <-chan os.Signal) error {
	detached := context.WithoutCancel(ctx) // The signal stops the daemon by Stop, in its order.
	if err := d.Start(detached); err != nil {
		daemon.Failing(err)
		return err
	}
	govern, relax := context.WithCancel(detached)
	var wg sync.WaitGroup
	wg.Go(func() { d.GovernMemory(govern) })
	defer wg.Wait()
	defer relax()
	for {
		select {
		case <-hup:
			d.ReloadFrom(detached, func() (*config.Config, error) { return config.Load(path, os.Environ()) })
		case err := <-d.Failed():
			return errors.Join(err, d.Stop(detached))
		case <-ctx.Done():
			return d.Stop(detached)
		}
	}
}
