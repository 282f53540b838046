package cache

import (
	"bufio"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// The numbers that this package is built for.
const (
	maxAnon  = 300 << 20       // Anonymous memory, bytes.
	maxStart = 3 * time.Second // From the start to the first answer.
	maxDisk  = 2 << 30         // Bytes, with ten million records.
)

// memoryLimit is the soft limit of Go's memory in both processes. Badger builds up to a dozen tables at a time while
// it is written to at full speed, and without a limit the garbage collector lets their buffers pile up.
const memoryLimit = "256MiB"

// TestScale fills a cache with as many records as VERIMAILD_TEST_SCALE says (the numbers above are for 10000000), in
// one process, and answers from it in another. It takes ten minutes and 2 GB of disk for ten million.
func TestScale(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("VERIMAILD_TEST_SCALE"))
	if err != nil {
		t.Skip("VERIMAILD_TEST_SCALE does not say how many records")
	}
	dir := os.Getenv("VERIMAILD_TEST_SCALE_DIR")
	if dir == "" {
		dir = filepath.Join(t.TempDir(), "state")
	}
	for _, name := range []string{"load", "serve"} {
		cmd := child(t, name, dir)
		cmd.Env = append(cmd.Env, "GOMEMLIMIT="+memoryLimit)
		out, err := cmd.Output()
		t.Logf("%s:\n%s", name, out)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var anon, disk int64
		var start time.Duration
		for line := range strings.Lines(string(out)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			switch key {
			case "anon":
				anon, err = strconv.ParseInt(value, 10, 64)
			case "disk":
				disk, err = strconv.ParseInt(value, 10, 64)
			case "start":
				start, err = time.ParseDuration(value)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if anon == 0 || anon > maxAnon {
			t.Errorf("%s: %d MB of anonymous memory, want up to %d", name, anon>>20, maxAnon>>20)
		}
		if perTenMillion := disk / int64(n) * 10_000_000; disk == 0 || perTenMillion > maxDisk {
			t.Errorf("%s: %d MB of disk for ten million, want up to %d", name, perTenMillion>>20, maxDisk>>20)
		}
		if start > maxStart {
			t.Errorf("%s: ready after %v, want %v at most", name, start, maxStart)
		}
	}
}

// Of ten records, one is a domain's habit, one its mail hosts, and eight are mailboxes of that domain.
const perDomain = 8

func scaleDomain(i int) string { return fmt.Sprintf("company-%d.example", i) }

func scaleAddress(i, j int) (address.Address, error) {
	return address.Parse(fmt.Sprintf("first%d.last%d@%s", i*7%9973, j, scaleDomain(i)))
}

func loadMany(dir string) error {
	n, err := strconv.Atoi(os.Getenv("VERIMAILD_TEST_SCALE"))
	if err != nil {
		return err
	}
	stores, c, err := openScale(dir)
	if err != nil {
		return err
	}
	began, peak := time.Now(), int64(0)
	for i := range n / (perDomain + 2) {
		if err := loadDomain(c, i); err != nil {
			return err
		}
		if i%1000 != 0 {
			continue
		}
		if err := c.Flush(context.Background()); err != nil {
			return err
		}
		anon, err := anonymous()
		if err != nil {
			return err
		}
		peak = max(peak, anon)
	}
	fmt.Printf("records=%d\ntook=%v\nanon=%d\n", n, time.Since(began).Round(time.Second), peak)
	if s := c.Stats().Store; s.Dropped > 0 || s.Failed > 0 {
		return fmt.Errorf("writes were lost: %+v", s)
	}
	fmt.Printf("disk=%d\n", c.Stats().Store.Disk)
	return stores.Close()
}

func loadDomain(c *Cache, i int) error {
	now := time.Now()
	for j := range perDomain {
		a, err := scaleAddress(i, j)
		if err != nil {
			return err
		}
		m := scaleMailbox(a, i, j, now)
		if _, err := c.PutMailbox(c.Begin(a), a, m); err != nil {
			return err
		}
		if j > 0 {
			continue
		}
		f := verdict.DomainFact{AcceptsAll: verdict.False, CheckedAt: now, Evidence: m.Evidence[1:]}
		if err := c.PutDomain(c.BeginDomain(a.Domain()), a.Domain(), f); err != nil {
			return err
		}
		c.PutHosts(c.BeginDomain(a.Domain()), found(a.Domain(), now))
	}
	return nil
}

// scaleTexts are what servers say about mailboxes that they don't have.
var scaleTexts = []string{
	"<%s>: Recipient address rejected: User unknown in virtual mailbox table",
	"<%s>: Recipient address rejected: User unknown in local recipient table",
	"The email account that you tried to reach does not exist. Please try double-checking the recipient's email address",
	"Recipient address rejected: Access denied. [AM0EUR01FT%03d.eop-EUR01.prod.protection.outlook.com]",
	"Requested action not taken: mailbox unavailable",
	"No such user here",
	"%s... User unknown",
}

// scaleMailbox varies the sample by domain: servers, addresses, words and a queue's number.
func scaleMailbox(a address.Address, i, j int, now time.Time) verdict.Mailbox {
	m := sample(a, []verdict.Reason{verdict.MailboxAccepted, verdict.MailboxNotFound, verdict.AcceptedCatchAll}[j%3], now)
	for k := range m.Evidence {
		ev := &m.Evidence[k]
		ev.MX = fmt.Sprintf("mx%d.%s", i%3, a.Domain())
		ev.IP = netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), 25})
		ev.Rule = fmt.Sprintf("rule-%d", i%40)
		ev.At = now.Add(-time.Duration(i*j%5000) * time.Millisecond)
		text := scaleTexts[i%len(scaleTexts)]
		switch {
		case ev.Code == 250:
			ev.Text = fmt.Sprintf("2.1.5 OK %x", uint64(i*8+j)*0x9e3779b97f4a7c15>>32)
		case strings.Contains(text, "%s"):
			ev.Text = fmt.Sprintf(text, a)
		case strings.Contains(text, "%03d"):
			ev.Text = fmt.Sprintf(text, i%1000)
		default:
			ev.Text = text
		}
	}
	m.MX[0].Host, m.MX[1].Host = "mx0."+a.Domain().ASCII(), "mx1."+a.Domain().ASCII()
	return m
}

// serveMany starts as a daemon would, and answers questions all over the cache.
func serveMany(dir string) error {
	n, err := strconv.Atoi(os.Getenv("VERIMAILD_TEST_SCALE"))
	if err != nil {
		return err
	}
	began := time.Now()
	stores, c, err := openScale(dir)
	if err != nil {
		return err
	}
	domains := n / (perDomain + 2)
	var ready time.Duration
	const questions = 300_000
	for q := range questions {
		a, err := scaleAddress(q*7919%domains, q%perDomain)
		if err != nil {
			return err
		}
		if m, f := c.Mailbox(a); f == verdict.Missing {
			return fmt.Errorf("%s is missing: %+v", a, m)
		}
		if q == 0 {
			ready = time.Since(began)
			began = time.Now()
		}
	}
	hit := time.Since(began) / questions
	anon, err := anonymous()
	if err != nil {
		return err
	}
	fmt.Printf("start=%v\nhit=%v\nanon=%d\ndisk=%d\n", ready.Round(time.Millisecond), hit, anon, c.Stats().Store.Disk)
	return stores.Close()
}

func openScale(dir string) (*store.Stores, *Cache, error) {
	stores, err := store.Open(store.Options{Dir: dir})
	if err != nil {
		return nil, nil, err
	}
	c, err := New(Options{Stores: stores})
	return stores, c, err
}

// anonymous is this process's anonymous memory, in bytes.
func anonymous() (int64, error) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // Only read.
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var kb int64
		if _, err := fmt.Sscanf(lines.Text(), "RssAnon: %d kB", &kb); err == nil {
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("/proc/self/status says nothing of RssAnon: %w", lines.Err())
}
