package maildns

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	defaultResolvConf = "/etc/resolv.conf"
	confInterval      = 5 * time.Second // Between looks at the file.
	maxConfSize       = 64 << 10

	// The bounds of resolv.conf(5).
	maxConfServers  = 3
	maxConfTimeout  = 30
	maxConfAttempts = 5
)

func (o *Options) resolvConf() string { return firstSet(o.ResolvConf, defaultResolvConf) }

// hostConf is what resolv.conf(5) says to a stub resolver that never uses a search list. Zero fields
// were not there.
type hostConf struct {
	servers  []string
	timeout  time.Duration
	attempts int
	tcp      bool
}

// readResolvConf reads the file at path. A file without a server is an error: the fallback to
// 127.0.0.1 that resolv.conf(5) has would only turn a missing setting into timeouts.
func readResolvConf(path string) (hostConf, error) {
	f, err := os.Open(path) //nolint:gosec // G304: resolv.conf, or what the operator names.
	if err != nil {
		return hostConf{}, fmt.Errorf("%w: none is configured, and %w", ErrNoServers, err)
	}
	defer f.Close()
	conf, err := parseResolvConf(io.LimitReader(f, maxConfSize))
	if err != nil {
		return hostConf{}, fmt.Errorf("%w: none is configured, and %s can't be read: %w", ErrNoServers, path, err)
	}
	if len(conf.servers) == 0 {
		return hostConf{}, fmt.Errorf("%w: none is configured, and %s has no usable nameserver line", ErrNoServers, path)
	}
	return conf, nil
}

func parseResolvConf(r io.Reader) (hostConf, error) {
	var conf hostConf
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 {
			continue
		}
		switch fields[0] { // A comment starts with # or ; and so is no keyword.
		case "nameserver":
			if a, err := netip.ParseAddr(fields[1]); err == nil && len(conf.servers) < maxConfServers {
				conf.servers = append(conf.servers, a.String())
			}
		case "options":
			for _, o := range fields[1:] {
				conf.option(o)
			}
		}
	}
	return conf, lines.Err()
}

// option takes in one option; those that mean nothing here are ignored.
func (c *hostConf) option(o string) {
	name, value, _ := strings.Cut(o, ":")
	n, err := strconv.Atoi(value)
	switch {
	case name == "use-vc" || name == "usevc":
		c.tcp = true
	case err != nil || n < 1:
	case name == "timeout":
		c.timeout = time.Duration(min(n, maxConfTimeout)) * time.Second
	case name == "attempts":
		c.attempts = min(n, maxConfAttempts)
	}
}

// A confWatch knows when resolv.conf was last looked at, and what it looked like.
type confWatch struct {
	mu     sync.Mutex // Held over one stat(2).
	looked time.Time
	was    confStamp
}

// confStamp tells one state of a file from another.
type confStamp struct {
	path  string
	mtime time.Time
	size  int64
}

func stampOf(path string) confStamp {
	st, err := os.Stat(path)
	if err != nil {
		return confStamp{path: path}
	}
	return confStamp{path, st.ModTime(), st.Size()}
}

// seen notes that the file was read in the state that stamp tells of.
func (w *confWatch) seen(stamp confStamp) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looked, w.was = time.Now(), stamp
}

// changed says whether the file has changed since it was last seen, or looked at by changed. It says
// no when somebody else is just looking, or looked less than confInterval ago.
func (w *confWatch) changed(opts Options) bool {
	if !w.mu.TryLock() {
		return false
	}
	defer w.mu.Unlock()
	if time.Since(w.looked) < confInterval {
		return false
	}
	now := stampOf(opts.resolvConf())
	changed := now != w.was
	w.looked, w.was = time.Now(), now
	return changed
}
