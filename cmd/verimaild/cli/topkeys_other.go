//go:build !linux

package cli

import "errors"

// keysAsTheyCome is for Linux only.
func keysAsTheyCome(int) (restore func(), err error) {
	return nil, errors.New("top watches on Linux only; use --once")
}
