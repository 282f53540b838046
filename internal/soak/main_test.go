package soak

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

var write = flag.Bool("write", false, "write what was seen into docs/soak.md")

// TestMain is the mail world of TestTenMinutes when it is asked to be: in a process of its own, so that what it takes is
// not taken for the daemon's, nor its load for the test's.
func TestMain(m *testing.M) {
	if os.Getenv(townEnv) != "" {
		if err := runTown(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
