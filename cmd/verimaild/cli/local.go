package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon"
)

// startLocal runs a daemon in this process, on a socket and with a state directory that go with it.
func startLocal(ctx context.Context, io stdio, path, sender string) (stop func(), socket string, err error) {
	cfg, err := config.Load(path, os.Environ())
	if err != nil {
		return nil, "", err
	}
	if sender != "" {
		cfg.Egress.Sender = sender
	}
	if err := daemon.Check(cfg); err != nil {
		return nil, "", err
	}
	_, stop, err = startPrivate(ctx, daemon.Options{Config: cfg, Logger: zap.NewNop()}, io)
	return stop, cfg.Socket.Path, err
}

// startPrivate runs a daemon on a socket of its own under a temporary directory, which stop removes. It serves one
// command, so that nobody is left to wait for what is under way when it stops.
func startPrivate(ctx context.Context, opts daemon.Options, io stdio) (*daemon.Daemon, func(), error) {
	dir, err := os.MkdirTemp("", "verimaild-")
	if err != nil {
		return nil, nil, fmt.Errorf("temporary directory: %w", err)
	}
	opts.Config.StateDir = filepath.Join(dir, "state")
	opts.Config.Socket = config.Socket{Path: filepath.Join(dir, "verimaild.sock"), Mode: 0o600}
	opts.Config.DrainTimeout = 0
	opts.Config.Egress.Preflight = config.PreflightOff
	d, err := daemon.New(opts)
	if err == nil {
		err = d.Start(context.WithoutCancel(ctx))
	}
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	return d, func() {
		if err := errors.Join(d.Stop(context.WithoutCancel(ctx)), os.RemoveAll(dir)); err != nil {
			fmt.Fprintf(io.err, "verimaild: %v\n", err)
		}
	}, nil
}
