// Package interop holds tests that ask real mail servers: those of Debian and Haraka, at their own defaults wherever a
// default counts, through a daemon that runs as a process of its own and is asked over its socket.
//
// The servers' packages are fetched with apt-get, which checks them against the archive's signatures, or from npm's
// registry, against the digests in testdata, and unpacked into a private root; what can't be had fails the tests.
// Nothing is installed, and the mail set-up of the machine is neither read nor changed. Each server runs there with
// mount and process namespaces of its own, listens on an address in 127.0.0.0/8, takes us for a stranger, and dies with
// the test. What it saw of us is read from its own log.
//
// The tests need Debian 12 or a system like it, root, and the tag interop:
//
//	go test -tags interop -count=1 ./internal/interop/...
//
// docs/interop.md has what each server says. The tests write it with
//
//	go test -tags interop -count=1 ./internal/interop/... -args -write
package interop
