package client

import (
	"os"
	"path/filepath"
)

const (
	// SocketEnv is the environment variable that names the socket before any default does.
	SocketEnv = "VERIMAILD_SOCKET"

	// SystemSocket is the socket of the daemon that runs as a service.
	SystemSocket = "/run/verimaild/verimaild.sock"
)

// DefaultSocket returns the path of the socket that a Client without one uses: what VERIMAILD_SOCKET says, else the
// first that exists of [SystemSocket] and the places where a daemon of this user makes its socket (below
// XDG_RUNTIME_DIR, below XDG_STATE_HOME), else SystemSocket.
func DefaultSocket() string {
	if path := os.Getenv(SocketEnv); path != "" {
		return path
	}
	for _, path := range append([]string{SystemSocket}, userSockets()...) {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return SystemSocket
}

// userSockets are the places of a daemon that does not run as root.
func userSockets() []string {
	const name = "verimaild/verimaild.sock"
	var paths []string
	for _, dir := range []string{os.Getenv("XDG_RUNTIME_DIR"), os.Getenv("XDG_STATE_HOME")} {
		if filepath.IsAbs(dir) { // The XDG Base Directory Specification has relative paths ignored.
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		paths = append(paths, filepath.Join(home, ".local/state", name))
	}
	return paths
}
