// Command verimaild verifies e-mail addresses for the applications of a host.
package main

import (
	"os"

	"github.com/verimails/verimaild/cmd/verimaild/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
