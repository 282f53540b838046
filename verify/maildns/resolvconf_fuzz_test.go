package maildns

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// FuzzResolvConf reads any file as resolv.conf: what comes of it is within the bounds of resolv.conf(5), and written down
// again it reads the same.
func FuzzResolvConf(f *testing.F) {
	for _, text := range []string{
		"nameserver 127.0.0.53\nnameserver 2001:db8::1\nnameserver fe80::1%eth0\nnameserver 192.0.2.1\n",
		"options timeout:99 attempts:0 use-vc ndots:5\noptions attempts:9\r\n; comment\n# comment\n",
		"nameserver\nnameserver x\n nameserver\t192.0.2.1 # why\nsearch example.com\n", "options timeout:-1 timeout:1e3 timeout: usevc",
		"nameserver 1.2.3.4\x00\nnameserver ::ffff:192.0.2.1",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseResolvConf(strings.NewReader(text))
		if err != nil {
			return // A line that is too long, or the reader's own.
		}
		if len(c.servers) > maxConfServers || c.timeout < 0 || c.timeout > maxConfTimeout*time.Second || c.attempts < 0 || c.attempts > maxConfAttempts {
			t.Errorf("parseResolvConf(%q) = %+v, out of bounds", text, c)
		}
		for _, s := range c.servers {
			if _, err := netip.ParseAddr(s); err != nil {
				t.Errorf("parseResolvConf(%q) has the server %q", text, s)
			}
		}
		again, err := parseResolvConf(strings.NewReader("nameserver " + strings.Join(c.servers, "\nnameserver ")))
		if len(c.servers) > 0 && (err != nil || strings.Join(again.servers, " ") != strings.Join(c.servers, " ")) {
			t.Errorf("the servers %q read again as %q, %v", c.servers, again.servers, err)
		}
	})
}
