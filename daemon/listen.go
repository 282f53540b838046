package daemon

import (
	"net"

	"github.com/verimails/verimaild/daemon/api"
)

// listen opens the socket that the configuration names.
func (d *Daemon) listen() (net.Listener, error) {
	s := d.boot.Socket
	return api.Listen(api.Socket{
		Path: s.Path, Mode: s.Mode, Group: s.Group, GroupOptional: !d.boot.IsSet("socket.group"), Logger: d.log.Named("api"),
	})
}
