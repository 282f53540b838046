package daemon

import (
	"go.uber.org/zap"

	"github.com/verimails/verimaild/daemon/api"
)

// startSocketmap answers a mail server where socketmap.path says.
func (d *Daemon) startSocketmap() error {
	s := d.boot.Socketmap
	if s.Path == "" {
		return nil
	}
	l, err := api.Listen(api.Socket{
		Path: s.Path, Mode: s.Mode, Group: s.Group, GroupOptional: !d.boot.IsSet("socketmap.group"), Logger: d.log.Named("api"),
	})
	if err != nil {
		return err
	}
	m := d.api.NewMap(s.Deadline)
	d.wg.Go(func() {
		if err := m.Serve(l); err != nil {
			d.log.Error("the mail server is no longer answered", zap.String("path", s.Path), zap.Error(err))
		}
	})
	d.later("socketmap", m.Close)
	d.log.Info("answering a mail server", zap.String("path", s.Path))
	return nil
}
