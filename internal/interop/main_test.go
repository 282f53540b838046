//go:build interop

package interop

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(withBinDir{m}) }

// withBinDir runs tests with a directory for binaries.
type withBinDir struct{ m *testing.M }

// Run implements goleak.TestingM.
func (w withBinDir) Run() int {
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv(binEnv, dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // The servers make us wait more than they make us work.
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return w.m.Run()
}
