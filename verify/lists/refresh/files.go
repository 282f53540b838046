package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// readNames reads a file with one name per line and comments behind #.
func readNames(path string) ([]string, error) {
	content, err := os.ReadFile(path) //nolint:gosec // G304: in the repository.
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(string(content)) {
		name, _, _ := strings.Cut(line, "#")
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// writeList writes a list with its provenance on top.
func writeList(path, title, date string, packs []pack, names []string) error {
	if len(names) == 0 {
		return fmt.Errorf("%s would be empty", path)
	}
	var from, under []string
	for _, p := range packs {
		from = append(from, p.name+" "+p.version)
		under = append(under, p.licence)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n", title)
	fmt.Fprintf(&b, "# source: npm %s, cleaned by verify/lists/refresh\n", strings.Join(from, ", "))
	fmt.Fprintf(&b, "# date: %s\n", date)
	fmt.Fprintf(&b, "# licence: %s\n", strings.Join(under, ", "))
	for _, name := range names {
		b.WriteString(name + "\n")
	}
	return os.WriteFile(path, []byte(b.String()), 0o644) //nolint:gosec // G306: source text of the repository.
}

// writeLicences keeps the text of each package's licence, as the licences ask.
func writeLicences(dir string, packs []pack) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // G301: a directory of the repository.
		return err
	}
	var errs []error
	for _, p := range packs {
		errs = append(errs, os.WriteFile(filepath.Join(dir, p.name+".txt"), p.licenceText, 0o644)) //nolint:gosec // G306: source text of the repository.
	}
	return errors.Join(errs...)
}
