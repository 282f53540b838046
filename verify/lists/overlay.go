package lists

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/verimails/verimaild/verify/address"
)

const (
	maxFile   = 64 << 20 // Octets of an operator's file: some million names.
	maxLine   = 1024     // Octets of a line in it.
	maxFaults = 20       // Faults that are reported of one file.
)

// A line is one name in an operator's file.
type line struct {
	name  string
	place string // file:line
}

// with returns a snapshot of what is built in and what the files of opts say about it.
func (b *builtin) with(opts Options) (*snapshot, error) {
	s := &snapshot{
		domains: domainNames{builtin: b.domains, operator: make(map[string]ruling)},
		roles:   newLocalNames(),
	}
	var errs []error
	for _, o := range []struct {
		list    string
		kind    kind
		overlay Overlay
	}{
		{"disposable", disposable, opts.Disposable},
		{"privacy_relay", relay, opts.PrivacyRelay},
		{"free_provider", free, opts.FreeProvider},
	} {
		v := b.versions[o.list]
		v.Ignored = slices.Clone(v.Ignored)
		errs = append(errs, overlayFiles(o.overlay, &v, func(l line, on bool) (string, error) {
			return s.domains.rule(l, o.kind, on, &v)
		}))
		s.versions = append(s.versions, v)
	}
	v := b.versions["role"]
	errs = append(errs, overlayFiles(opts.Role, &v, func(l line, on bool) (string, error) {
		return strings.ToLower(l.name), s.roles.add(l.name, on)
	}))
	s.versions = append(s.versions, v, b.versions["no_reply"])
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// rule puts the operator's word about one domain into d. It returns the canonical name, "" if it is left out.
func (d domainNames) rule(l line, k kind, on bool, v *Version) (string, error) {
	parsed, err := address.ParseDomain(l.name)
	if err != nil {
		return "", err
	}
	name := parsed.ASCII()
	if isPublicSuffix(name) {
		v.Ignored = append(v.Ignored, fmt.Sprintf("%s: %s is a public suffix", l.place, name))
		return "", nil
	}
	r := d.operator[name]
	if on {
		r.on |= k
	} else {
		r.off |= k
	}
	d.operator[name] = r
	return name, nil
}

// An application puts one name into force. It returns the name's canonical form, or "" if the name is left out.
type application func(l line, on bool) (string, error)

// overlayFiles reads the files of one list, hands each name to apply, and counts it in v.
func overlayFiles(o Overlay, v *Version, apply application) error {
	removed, errRemove := applyFiles(o.Remove, false, nil, apply)
	added, errAdd := applyFiles(o.Add, true, removed, apply)
	v.Added, v.Removed = len(added), len(removed)
	return errors.Join(errRemove, errAdd)
}

// applyFiles returns the places of the names that it read. A name that is in contrary as well is an error.
func applyFiles(paths []string, on bool, contrary map[string]string, apply application) (map[string]string, error) {
	places := make(map[string]string)
	var errs []error
	for _, path := range paths {
		lines, err := readFile(path)
		errs = append(errs, err)
		f := faults{path: path}
		for _, l := range lines {
			name, err := apply(l, on)
			if at := contrary[name]; err == nil && at != "" {
				err = fmt.Errorf("%s is also taken off, at %s", name, at)
			}
			f.add(l, err)
			if err == nil && name != "" {
				places[name] = l.place
			}
		}
		errs = append(errs, f.err())
	}
	return places, errors.Join(errs...)
}

// faults collects what is wrong with one file, up to a bound.
type faults struct {
	path string
	errs []error
	more int
}

// add notes what is wrong with a line, if anything.
func (f *faults) add(l line, err error) {
	switch {
	case err == nil:
	case len(f.errs) == maxFaults:
		f.more++
	default:
		f.errs = append(f.errs, fmt.Errorf("%s: %w", l.place, err))
	}
}

func (f *faults) err() error {
	if f.more > 0 {
		return errors.Join(append(f.errs, fmt.Errorf("%s: %d more faults", f.path, f.more))...)
	}
	return errors.Join(f.errs...)
}

// readFile reads the names in a file. A device or a pipe might have no end, or never begin.
func readFile(path string) ([]line, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is no file", path)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s: is larger than %d MiB", path, maxFile>>20)
	}
	f, err := os.Open(path) //nolint:gosec // G304: the file that the operator names.
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readLines(path, io.LimitReader(f, maxFile)) // It may grow while it is read.
}

// readLines reads names, one per line, without comments, blank lines, carriage returns and a byte order mark.
func readLines(path string, r io.Reader) ([]line, error) {
	var lines []line
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, maxLine), maxLine)
	n := 0
	for sc.Scan() {
		n++
		text := sc.Text()
		if n == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		text, _, _ = strings.Cut(text, "#")
		if text = strings.TrimSpace(text); text != "" {
			lines = append(lines, line{text, fmt.Sprintf("%s:%d", path, n)})
		}
	}
	if err := sc.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("%s:%d: the line is longer than %d octets", path, n+1, maxLine)
	} else if err != nil {
		return nil, err // It names the file.
	}
	return lines, nil
}
