package daemon

import (
	"net"

	"github.com/verimails/verimaild/daemon/api"
)

// listen opens the socket that the configuration names.
func (d *Daemon) listen() (net.Listener, error) {
	s := d.cfg.Socket
	return api.Listen(api.Socket{
		Path: s.Path, Mode: s.Mode, Group: s.Group, GroupOptional: !d.cfg.IsSet("socket.group"), Logger: d.log.Named("api"),
	})
}
