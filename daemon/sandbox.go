package daemon

import (
	"context"
	"fmt"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
)

// startSandbox starts the world that takes the Internet's place.
func (d *Daemon) startSandbox() error {
	w, err := mailworld.Start(mailworld.Sandbox())
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	d.sandbox = w
	d.later("sandbox", func(context.Context) error { return w.Close() })
	return nil
}

// sandboxed points opts at the sandbox. Without budgets, nothing is held back.
func (d *Daemon) sandboxed(opts *pool.Options) {
	opts.Sender = "probe@source0.egress.test"
	opts.Sources = []pool.Source{{Name: "sandbox", IPv4: d.sandbox.SourceAddr(0), EHLO: "source0.egress.test"}}
	opts.Port = uint16(d.sandbox.Port()) //nolint:gosec // G115: a port.
	if !d.boot.Sandbox.Budgets {
		opts.DialsPerSecond, opts.SourceLimits = 0, pool.SourceLimits{}
		opts.Limits, opts.Forgiving, opts.State = unpaced(), true, nil
	}
}

// unpaced lifts every limit of pace, so that answers come at once and repeat. Only what a session looks like stays.
func unpaced() *provider.Limits {
	return new(provider.Unpaced().Over(provider.Limits{Sessions: new(4), RefusalsPerSession: new(0)}))
}

// A Sample is an address of the sandbox, and what comes of it.
type Sample struct{ Address, Meaning, Reason string }

// Samples lists the addresses of the sandbox.
func Samples() []Sample {
	names := mailworld.SandboxNames()
	out := make([]Sample, len(names))
	for i, n := range names {
		out[i] = Sample{Address: n.Address, Meaning: n.Meaning, Reason: n.Reason}
	}
	return out
}
