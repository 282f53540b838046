// Package systemd is what verimaild and the service manager say to each other: readiness, status and the
// watchdog (sd_notify(3)), and sockets that are handed over (sd_listen_fds(3)). The unit files stand beside it.
package systemd

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// A Notifier tells the service manager how the daemon is. Without one (NOTIFY_SOCKET is not set) every method does
// nothing and returns nil. An error means that the service manager could not be told; the daemon works without it.
// A Notifier is safe for concurrent use.
type Notifier struct {
	send func(state string) error
}

// New makes a Notifier for the service manager that started this process, if one did.
func New() *Notifier {
	return &Notifier{send: func(state string) error {
		if _, err := daemon.SdNotify(false, state); err != nil {
			return fmt.Errorf("sd_notify: %w", err)
		}
		return nil
	}}
}

// Ready says that the daemon serves: after the start, and after each reload that Reloading announced.
func (n *Notifier) Ready(status string) error {
	return n.send(daemon.SdNotifyReady + "\n" + statusLine(status))
}

// Reloading says that the configuration is being read anew; Ready must follow, whether it succeeds or not.
// It carries MONOTONIC_USEC, which a unit of Type=notify-reload waits for.
func (n *Notifier) Reloading() error {
	return n.send(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
}

// Stopping says that the daemon has begun to stop, and how long that may take: until then it is not killed, even if the
// unit's TimeoutStopSec is shorter.
func (n *Notifier) Stopping(within time.Duration) error {
	return n.send(fmt.Sprintf("%s\nEXTEND_TIMEOUT_USEC=%d", daemon.SdNotifyStopping, within.Microseconds()))
}

// Status sets the line that systemctl status shows.
func (n *Notifier) Status(status string) error { return n.send(statusLine(status)) }

// KeepAlive pings the watchdog, twice in its interval, for as long as healthy says so, until ctx ends. It returns at
// once if the unit sets no WatchdogSec. An error means that the watchdog can't be kept quiet and will strike.
func (n *Notifier) KeepAlive(ctx context.Context, healthy func() bool) error {
	interval, err := Watchdog()
	if err != nil || interval == 0 {
		return err
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		if healthy() {
			if err := n.send(daemon.SdNotifyWatchdog); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Watchdog is how long the daemon may be silent before the service manager kills it; 0 if it doesn't watch.
func Watchdog() (time.Duration, error) {
	d, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0, fmt.Errorf("watchdog: %w", err)
	}
	return d, nil
}

// statusLine is the assignment of status; a line break in it would begin another assignment.
func statusLine(status string) string {
	return "STATUS=" + strings.NewReplacer("\r", " ", "\n", " ").Replace(status)
}
