package daemon

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/verimails/verimaild/config"
)

// makeHomes makes the way to the default places of state and socket, below a home in which no program has kept any yet,
// with the mode that the XDG Base Directory Specification wants. A path that somebody wrote must lead somewhere: half
// of it missing is more likely a typing error.
func makeHomes(cfg *config.Config) error {
	for key, path := range map[string]string{"state_dir": cfg.StateDir, "socket.path": cfg.Socket.Path} {
		if cfg.IsSet(key) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Dir(path)), 0o700); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}
