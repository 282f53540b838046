package daemon

import (
	"context"
	"crypto/rand"
	"strings"
	"time"

	"go.uber.org/zap"
)

// examineEvery is how often the resolver is asked for names that do not exist.
const examineEvery = time.Hour

// watchResolver finds out, at once and every hour until ctx ends, whether the resolver invents addresses for names that
// do not exist, as those of some access providers do. Its word that a domain is not there is not believed then.
func (d *Daemon) watchResolver(ctx context.Context) {
	tick := time.NewTicker(examineEvery)
	defer tick.Stop()
	for {
		d.examineResolver(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (d *Daemon) examineResolver(ctx context.Context) {
	// Made up anew each time; resolvers that invent do so for such names above all.
	label := func() string { return strings.ToLower(rand.Text()) }
	invents := ""
	for _, e := range d.resolver.Examine(ctx, []string{"www." + label() + ".com", label() + ".net"}, nil) {
		if len(e.Invents) > 0 {
			invents = e.Server
		}
	}
	if ctx.Err() != nil {
		return
	}
	d.resolver.Distrust(invents != "")
	if was := d.invents.Swap(invents != ""); invents != "" && !was {
		d.log.Warn("the resolver invents addresses for names that do not exist; no domain is called unknown by its word",
			zap.String("server", invents))
	}
}
