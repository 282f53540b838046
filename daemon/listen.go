package daemon

import (
	"context"
	"errors"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/daemon/api"
)

// listen returns the sockets that the service manager has handed over, or opens the one that the configuration names.
func (d *Daemon) listen() ([]net.Listener, error) {
	handed, err := d.inherit()
	if err != nil {
		return nil, err
	}
	s := d.boot.Socket
	if len(handed) > 0 {
		d.handed = handed
		d.compareHanded(s.Path)
		return handed, nil
	}
	l, err := api.Listen(api.Socket{
		Path: s.Path, Mode: s.Mode, Group: s.Group, GroupOptional: !d.boot.IsSet("socket.group"), Logger: d.log.Named("api"),
	})
	if err != nil {
		return nil, err
	}
	return []net.Listener{l}, nil
}

// compareHanded warns when the operator has written a path, and the service manager listens elsewhere: its unit decides,
// and who reads the configuration to find the socket finds none.
func (d *Daemon) compareHanded(path string) {
	if !d.boot.IsSet("socket.path") {
		return
	}
	for _, l := range d.handed {
		if l.Addr().String() == path {
			return
		}
	}
	d.log.Warn("socket.path does not count: the service manager holds another socket; change ListenStream= of its socket unit, or disable that unit",
		zap.String("path", path), zap.Stringer("socket", d.handed[0].Addr()))
}

// serve answers on ls until the server is shut down. Why the first of them failed, if one does, is what d.serving gets.
func (d *Daemon) serve(ls []net.Listener) {
	for _, l := range ls {
		d.wg.Go(func() {
			err := d.api.Serve(l)
			if errors.Is(err, net.ErrClosed) && len(d.handed) > 0 {
				err = nil // By stepAside.
			}
			select {
			case d.serving <- err:
			default:
			}
		})
	}
}

// settle is how long a client that has just connected may take to say what it wants, before a stop refuses new work.
const settle = 100 * time.Millisecond

// stepAside leaves the sockets that were handed over to their holder: who connects from now on waits in their queue for
// the next daemon, and is not refused by this one. Connections that were accepted before are served, and end with the
// answer they wait for; idle ones end at once, so that their clients come back by the queue, too.
func (d *Daemon) stepAside(ctx context.Context) {
	if len(d.handed) == 0 {
		return
	}
	for _, l := range d.handed {
		_ = l.Close() // Our descriptor only; the socket is its holder's.
	}
	d.api.CloseIdle()
	wait, cancel := context.WithTimeout(ctx, settle)
	defer cancel()
	<-wait.Done()
}
