package config

import (
	"strings"
	"testing"
)

// FuzzEnvironment sets any variable to anything: it is refused in one line that names it, or it sets what its name says.
func FuzzEnvironment(f *testing.F) {
	for _, entry := range []string{
		"VERIMAILD_EGRESS_SENDER=probe@example.org", "VERIMAILD_SOCKET_MODE=0660", "VERIMAILD_EGRESS_SOURCES=x", "VERIMAILD_EGRES_SENDER=x", "VERIMAILD_=",
		"VERIMAILD_RESOLVER_SERVERS=127.0.0.1:53, [::1]:53", "VERIMAILD_EGRESS_MAX_SESSIONS=1e9", "VERIMAILD_CACHE_DIR=..", "VERIMAILD_A\n\x1b[2J=b", "VERIMAILD_EGRESS_TLS=\x1b]0;x\x07",
		"VERIMAILD_RESOLVER_TIMEOUT=3", "VERIMAILD_APPS_ONLY=yes", "PATH=/bin",
	} {
		f.Add(entry)
	}
	f.Fuzz(func(t *testing.T, entry string) {
		if strings.ContainsRune(entry, 0) {
			return // No variable holds one.
		}
		root := tree()
		o := &origin{places: map[string]place{}}
		found, faults := environment(root, []string{entry}, "/etc", o)
		if len(found)+len(faults) > 1 {
			t.Errorf("%q sets %v with %v", entry, found, faults)
		}
		for _, f := range faults {
			if text := f.Error(); f.Problem == "" || strings.ContainsAny(text, "\r\n\x1b\x07") || f.Variable == "" {
				t.Errorf("%q: the fault reads %q", entry, text)
			}
		}
		name, _, _ := strings.Cut(entry, "=")
		for key := range found {
			if variable(key) != name {
				t.Errorf("%q sets %s", entry, key)
			}
		}
	})
}
