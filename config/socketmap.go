package config

import (
	"io/fs"
	"time"
)

// Socketmap is a Unix socket of its own on which a mail server asks by Postfix's socketmap protocol.
type Socketmap struct {
	// The socket's path. Empty means none. A chrooted smtpd reaches what is below its queue directory; without chroot, or
	// through proxy:, any path will do.
	Path string `mapstructure:"path" kind:"path" default:"" example:"/var/spool/postfix/verimaild/socketmap"`

	// The socket's permissions, in octal.
	Mode fs.FileMode `mapstructure:"mode" default:"0660"`

	// The group that owns the socket: that of the mail server. The daemon's user must be a member of it.
	Group string `mapstructure:"group" default:"postfix" host:"Where there is no such group, or the daemon is not in it, the socket keeps the daemon's own."`

	// How long the mail server waits for an answer at most. Past it, the recipient is not found, and mail goes its way.
	Deadline time.Duration `mapstructure:"deadline" default:"5s" range:"100ms..2m"`
}

// socketmap checks the path.
func (k *checker) socketmap() {
	switch path := k.c.Socketmap.Path; {
	case len(path) > maxSocketPath:
		k.fault("socketmap.path", "%s is %d bytes long; the most is %d", quote(path), len(path), maxSocketPath)
	case path != "" && path == k.c.Socket.Path:
		k.fault("socketmap.path", "%s is the path of socket, too", quote(path))
	}
}
