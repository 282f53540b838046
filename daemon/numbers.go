package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"golang.org/x/net/netutil"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// maxScrapers is how many connections the listener of the metrics takes at once.
const maxScrapers = 64

// startNumbers serves metrics and health, and nothing else, where metrics.listen says.
func (d *Daemon) startNumbers() error {
	addr := d.boot.Metrics.Listen
	if addr == "" {
		return nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("metrics.listen: %w", err)
	}
	srv := d.api.Numbers()
	d.wg.Go(func() {
		if err := srv.Serve(netutil.LimitListener(l, maxScrapers)); !errors.Is(err, http.ErrServerClosed) {
			d.log.Error("metrics are no longer served", zap.String("address", addr), zap.Error(err))
		}
	})
	d.later("metrics", func(ctx context.Context) error { return errors.Join(srv.Shutdown(ctx), srv.Close()) })
	d.log.Info("serving metrics", zap.Stringer("address", l.Addr()))
	return nil
}

// exposition serves all metrics in the formats of Prometheus. A part of them that fails does not take the others.
func (d *Daemon) exposition() http.Handler {
	return promhttp.HandlerFor(d.metrics.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, DisableCompression: true, MaxRequestsInFlight: 4,
	})
}
