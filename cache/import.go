package cache

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// maxImportLine bounds a line of an import, in bytes.
const maxImportLine = 256 << 10

// importGroup is after how many lines an import waits for the disk, so that it does not outrun it.
const importGroup = 1000

// An ImportError says which line of an import makes no sense. What stood before it was imported.
type ImportError struct {
	Line int // From 1.
	Err  error
}

func (e *ImportError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap is what is wrong with the line.
func (e *ImportError) Unwrap() error { return e.Err }

// An ImportResult counts an import's records.
type ImportResult struct {
	Read int // Records read.
	Old  int // Of those, left out because they are past their hard age.
}

// Import reads what [Cache.Export] wrote. It is strict: an unknown field, kind or version is an error, an
// [*ImportError]. It never replaces what is remembered by something older. It stops when ctx is done.
func (c *Cache) Import(ctx context.Context, r io.Reader) (ImportResult, error) {
	var res ImportResult
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxImportLine)
	n := 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := c.importLine(lines.Bytes(), n == 1, &res); err != nil {
			return res, &ImportError{n, err}
		}
		if n%importGroup == 0 {
			if err := c.Flush(ctx); err != nil {
				return res, fmt.Errorf("cache: import: %w", err)
			}
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return res, &ImportError{n + 1, fmt.Errorf("longer than %d bytes", maxImportLine)}
	} else if err != nil {
		return res, fmt.Errorf("cache: import: %w", err)
	}
	if n == 0 {
		return res, &ImportError{1, errNoHeader}
	}
	if err := c.Flush(ctx); err != nil {
		return res, fmt.Errorf("cache: import: %w", err)
	}
	return res, nil
}

var errNoHeader = fmt.Errorf(`the first line must be {"kind":%q,"version":%d,…}`, transferKind, transferVersion)

func (c *Cache) importLine(b []byte, first bool, res *ImportResult) error {
	var head struct {
		Kind string `json:"kind"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return err
	}
	if first {
		var l headerLine
		if err := strict(b, &l); err != nil {
			return errors.Join(errNoHeader, err)
		}
		if l.Kind != transferKind || l.Version != transferVersion {
			return errNoHeader
		}
		return nil
	}
	res.Read++
	var fresh bool
	var err error
	switch head.Kind {
	case lineDomain:
		fresh, err = c.importDomain(b)
	case lineHosts:
		fresh, err = c.importHosts(b)
	default:
		err = fmt.Errorf("unknown kind %q", head.Kind)
	}
	if err == nil && !fresh {
		res.Old++
	}
	return err
}

// strict decodes the one JSON value that b must be.
func strict(b []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

// canonical parses a domain that must be in its canonical form.
func canonical(name string) (address.Domain, error) {
	d, err := address.ParseDomain(name)
	if err == nil && d.ASCII() != name {
		err = fmt.Errorf("domain %q: must be lower-case A-labels, as in %q", name, d.ASCII())
	}
	return d, err
}

var errNoTime = errors.New("the time is missing")

func (c *Cache) importDomain(b []byte) (fresh bool, err error) {
	var l domainLine
	if err := strict(b, &l); err != nil {
		return false, err
	}
	d, err := canonical(l.Domain)
	if err != nil {
		return false, err
	}
	f := verdict.DomainFact{Reason: l.Reason, CheckedAt: l.CheckedAt, Evidence: fromJSON(l.Evidence)}
	if l.AcceptsAll != nil {
		f.AcceptsAll = verdict.TriOf(*l.AcceptsAll)
	}
	switch {
	case l.CheckedAt.IsZero():
		return false, errNoTime
	case f.Reason != "" && !f.Reason.OfDomain() || f.Reason == "" && f.AcceptsAll == verdict.Undetermined:
		return false, &NotStorableError{Of: "domain", Reason: f.Reason}
	}
	f = c.trimFact(d, f)
	if c.ages.Load().factAge(&f).freshness(f.CheckedAt, c.now()) == verdict.Missing {
		return false, nil
	}
	t := c.BeginDomain(d)
	for c.putFact(t, d, f, true) {
	}
	return true, nil
}

// importable are the states of mail hosts that are worth carrying over.
var importable = []maildns.Status{maildns.Found, maildns.NullMX, maildns.NoMailHost, maildns.DomainNotFound, maildns.Unroutable}

func (c *Cache) importHosts(b []byte) (fresh bool, err error) {
	var l hostsLine
	if err := strict(b, &l); err != nil {
		return false, err
	}
	m := maildns.MailHosts{Status: maildns.Status(l.Status), Implicit: l.Implicit, At: l.At, Detail: l.Detail, Server: l.Server}
	if m.Domain, err = canonical(l.Domain); err != nil {
		return false, err
	}
	switch {
	case l.At.IsZero():
		return false, errNoTime
	case l.TTL < 0 || l.TTL > int64(longestAge/time.Second):
		return false, fmt.Errorf("ttl_s %d: out of range", l.TTL)
	case !slices.Contains(importable, m.Status):
		return false, fmt.Errorf("status %q: must be one of %q", l.Status, importable)
	}
	m.TTL = time.Duration(l.TTL) * time.Second
	for _, h := range l.Hosts {
		if !hostName(h.Name) {
			return false, fmt.Errorf("host %q: must be the name of a mail host", h.Name)
		}
		m.Hosts = append(m.Hosts, maildns.Host{
			Name: h.Name, Preference: h.Preference, Status: maildns.Status(h.Status), Detail: h.Detail, Addrs: h.Addrs, Refused: h.Refused,
		})
	}
	m = c.trimHosts(m)
	if (&hostsRecord{MailHosts: m}).freshness(c.ages.Load(), c.now()) == verdict.Missing {
		return false, nil
	}
	for c.putHosts(c.BeginDomain(m.Domain), m, true) {
	}
	return true, nil
}

// hostName reports whether s can be the name of a mail host. The DNS holds names that are not valid domains, with
// underscores say, and the resolver asks about them all the same.
func hostName(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}
