package lists_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/lists"
)

func mustNew(t testing.TB, opts lists.Options) *lists.Lists {
	t.Helper()
	l, err := lists.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustParse(t testing.TB, s string) address.Address {
	t.Helper()
	a, err := address.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// file writes an operator's file and returns its path.
func file(t testing.TB, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "names.txt")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// flags writes Names as a short string: d, r, R, f, n for those that are set.
func flags(n lists.Names) string {
	var b strings.Builder
	for _, f := range []struct {
		set  bool
		mark string
	}{{n.Disposable, "d"}, {n.PrivacyRelay, "r"}, {n.Role, "R"}, {n.FreeProvider, "f"}, {n.NoReply, "n"}} {
		if f.set {
			b.WriteString(f.mark)
		}
	}
	return b.String()
}

func TestLookupDomain(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"company", "ada@example.com", ""},
		{"disposable", "ada@mailinator.com", "d"},
		{"disposable, upper case", "ada@MAILINATOR.COM", "d"},
		{"disposable, below", "ada@a.b.mailinator.com", "d"},
		{"disposable, other end", "ada@zzmailinator.com", ""},
		{"disposable in a label", "ada@mailinator.com.example.org", ""},
		{"relay of DuckDuckGo", "ada@duck.com", "r"},
		{"relay of Mozilla, subdomain", "x1@ada.mozmail.com", "r"},
		{"relay of Apple", "x1@privaterelay.appleid.com", "r"},
		{"not the relay's parent", "ada@appleid.com", ""},
		{"SimpleLogin", "ada@simplelogin.com", "r"},
		{"addy.io, subdomain", "x1@ada.anonaddy.com", "r"},
		{"Proton Pass", "ada@passmail.net", "r"},
		{"relay that the disposable list has", "ada@opayq.com", "r"},
		{"iCloud is no relay", "ada@icloud.com", "f"},
		{"Gmail", "ada@gmail.com", "f"},
		{"Googlemail", "ada@googlemail.com", "f"},
		{"national", "ada@yahoo.co.jp", "f"},
		{"below a name of three labels", "ada@x.bigpond.net.au", "f"},
		{"Germany", "ada@gmx.de", "f"},
		{"Proton", "ada@proton.me", "f"},
		{"China", "ada@qq.com", "f"},
		{"subscriber line", "ada@comcast.net", "f"},
		{"a company's own domain", "ada@google.com", ""},
		{"Apple's own", "ada@apple.com", ""},
		{"Microsoft's own", "ada@microsoft.com", ""},
		{"Facebook's, which both packages have", "ada@facebook.com", ""},
		{"Alibaba's, which both packages have", "ada@alibaba.com", ""},
		{"Yahoo's own", "ada@yahooinc.com", ""},
		{"public suffix that a package has", "ada@x.net.ua", ""},
		{"throw-away domain that a package calls free", "ada@sharklasers.com", "d"},
		{"sandbox", "deliverable@sandbox.test", ""},
		{"literal", "ada@[192.0.2.1]", ""},
	}
	l := mustNew(t, lists.Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := flags(l.Lookup(mustParse(t, tt.in))); got != tt.want {
				t.Errorf("Lookup(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestReloadReplaces(t *testing.T) {
	l := mustNew(t, lists.Options{Disposable: lists.Overlay{Add: []string{file(t, "one.example")}}})
	if err := l.Reload(lists.Options{Disposable: lists.Overlay{Add: []string{file(t, "two.example")}}}); err != nil {
		t.Fatal(err)
	}
	one, two := flags(l.Lookup(mustParse(t, "ada@one.example"))), flags(l.Lookup(mustParse(t, "ada@two.example")))
	if one != "" || two != "d" {
		t.Errorf("after Reload Lookup = %q, %q, want the second file only", one, two)
	}
}

// A lookup sees the lists before a reload or those after it, never a mixture.
func TestLookupDuringReload(t *testing.T) {
	name := []string{"x.example"}
	asDisposable := lists.Options{Disposable: lists.Overlay{Add: []string{file(t, name...)}}}
	asFree := lists.Options{FreeProvider: lists.Overlay{Add: []string{file(t, name...)}}}
	l := mustNew(t, asDisposable)
	a := mustParse(t, "ada@x.example")

	var wg sync.WaitGroup
	var stop atomic.Bool
	for range 2 {
		wg.Go(func() {
			for !stop.Load() {
				if got := flags(l.Lookup(a)); got != "d" && got != "f" {
					t.Errorf("Lookup = %q, want d or f", got)
					return
				}
				l.Versions()
			}
		})
	}
	for i := range 50 {
		opts := asFree
		if i%2 == 1 {
			opts = asDisposable
		}
		if err := l.Reload(opts); err != nil {
			t.Error(err)
		}
	}
	stop.Store(true)
	wg.Wait()
}

func version(t testing.TB, l *lists.Lists, list string) lists.Version {
	t.Helper()
	for _, v := range l.Versions() {
		if v.List == list {
			return v
		}
	}
	t.Fatalf("Versions() lacks %s", list)
	return lists.Version{}
}

func TestVersions(t *testing.T) {
	l := mustNew(t, lists.Options{FreeProvider: lists.Overlay{Add: []string{file(t, "a.example", "a.example")}, Remove: []string{file(t, "gmail.com")}}})
	tests := []struct {
		list    string
		atLeast int
		source  string
		licence string
	}{
		{"disposable", 5000, "npm disposable-email-domains-js ", "CC0-1.0"},
		{"privacy_relay", 30, "kept by hand", "MIT"},
		{"free_provider", 1500, "npm free-email-domains ", "MIT, ISC, MIT"},
		{"role", 500, "kept by hand", "MIT"},
		{"no_reply", 10, "kept by hand", "MIT"},
	}
	for _, tt := range tests {
		v := version(t, l, tt.list)
		if v.Names < tt.atLeast || !strings.HasPrefix(v.Source, tt.source) || v.Licence != tt.licence || len(v.Date) != len("2006-01-02") {
			t.Errorf("version of %s: %+v, want at least %d names from %q under %q", tt.list, v, tt.atLeast, tt.source, tt.licence)
		}
	}
	if v := version(t, l, "free_provider"); v.Added != 1 || v.Removed != 1 {
		t.Errorf("free_provider: added %d, removed %d, want 1 and 1", v.Added, v.Removed)
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	l := mustNew(t, lists.Options{Disposable: lists.Overlay{Add: []string{file(t, "one.example")}}})
	a := mustParse(t, "ada-lovelace+x@a.b.example.com")
	if n := testing.AllocsPerRun(100, func() { l.Lookup(a) }); n != 0 {
		t.Errorf("Lookup allocates %v times, want none", n)
	}
}
