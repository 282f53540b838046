package lists_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/verimails/verimaild/verify/lists"
)

func TestOverlay(t *testing.T) {
	opts := lists.Options{
		Disposable: lists.Overlay{
			Add:    []string{file(t, "\ufeff# ours", "throwaway.example\r", "  Bücher.example  # why", "", "trash.mozmail.com", "sub.keep.example", "duck.com")},
			Remove: []string{file(t, "mailinator.com", "keep.example")},
		},
		PrivacyRelay: lists.Overlay{
			Add:    []string{file(t, "relay.example", "both.example")},
			Remove: []string{file(t, "addy.io", "33mail.com")},
		},
		FreeProvider: lists.Overlay{
			Add:    []string{file(t, "free.example", "team.gmail.com")},
			Remove: []string{file(t, "gmail.com", "staff.yahoo.com")},
		},
		Role: lists.Overlay{
			Add:    []string{file(t, "Front-Of-House", "stable-*", "*-stable")},
			Remove: []string{file(t, "hello", "no-reply")},
		},
	}
	tests := []struct{ name, in, want string }{
		{"added", "ada@throwaway.example", "d"},
		{"added, below", "ada@x.throwaway.example", "d"},
		{"added as a U-label", "ada@xn--bcher-kva.example", "d"},
		{"removed", "ada@mailinator.com", ""},
		{"removed, below", "ada@x.mailinator.com", ""},
		{"added below what is removed", "ada@sub.keep.example", "d"},
		{"removed above what is added", "ada@keep.example", ""},
		{"a relay that the operator calls disposable", "ada@duck.com", "d"},
		{"below a relay, called disposable", "ada@trash.mozmail.com", "d"},
		{"the relay above it", "ada@mozmail.com", "r"},
		{"relay added", "ada@relay.example", "r"},
		{"relay removed", "ada@addy.io", ""},
		{"free added", "ada@free.example", "f"},
		{"free removed", "ada@gmail.com", ""},
		{"free added below what is removed", "ada@team.gmail.com", "f"},
		{"free removed below what is built in", "ada@staff.yahoo.com", ""},
		{"free above it", "ada@yahoo.com", "f"},
		{"role added", "frontofhouse@example.com", "R"},
		{"role added, written otherwise", "front_of.house@example.com", "R"},
		{"role added by its beginning", "stable-7@example.com", "R"},
		{"role added by its end", "north.stable@example.com", "R"},
		{"role not added", "stable@example.com", ""},
		{"role removed", "hello@example.com", ""},
		{"role removed, with a country", "hello-de@example.com", ""},
		{"no-reply taken off the roles still says so", "noreply@example.com", "n"},
	}
	l := mustNew(t, opts)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := flags(l.Lookup(mustParse(t, tt.in))); got != tt.want {
				t.Errorf("Lookup(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestOperatorCallsADomainRelayAndDisposable(t *testing.T) {
	both := lists.Overlay{Add: []string{file(t, "both.example")}}
	l := mustNew(t, lists.Options{Disposable: both, PrivacyRelay: both})
	if got := flags(l.Lookup(mustParse(t, "ada@both.example"))); got != "r" {
		t.Errorf("Lookup = %q, want r: a relay is not disposable", got)
	}
}

func TestPublicSuffixIsIgnored(t *testing.T) {
	path := file(t, "com.ar", "throwaway.example", "github.io", "co.uk")
	l := mustNew(t, lists.Options{Disposable: lists.Overlay{Add: []string{path}}})
	for _, in := range []string{"ada@company.com.ar", "ada@someone.github.io", "ada@company.co.uk"} {
		if got := flags(l.Lookup(mustParse(t, in))); got != "" {
			t.Errorf("Lookup(%q) = %q, want nothing", in, got)
		}
	}
	v := version(t, l, "disposable")
	if len(v.Ignored) != 3 || !strings.HasPrefix(v.Ignored[0], path+":1: com.ar") {
		t.Errorf("Ignored = %q, want the three suffixes with file and line", v.Ignored)
	}
	if v.Added != 1 {
		t.Errorf("Added = %d, want 1", v.Added)
	}
}

func TestFaultyFiles(t *testing.T) {
	tests := []struct {
		name string
		opts func(t *testing.T) lists.Options
		want []string // In the error.
	}{
		{"missing file", func(*testing.T) lists.Options {
			return lists.Options{Role: lists.Overlay{Add: []string{"/nonexistent/roles.txt"}}}
		}, []string{"/nonexistent/roles.txt", "no such file"}},
		{"directory", func(t *testing.T) lists.Options {
			return lists.Options{Role: lists.Overlay{Add: []string{t.TempDir()}}}
		}, []string{"is no file"}},
		{"device without an end", func(*testing.T) lists.Options {
			return lists.Options{Role: lists.Overlay{Add: []string{"/dev/zero"}}}
		}, []string{"/dev/zero: is no file"}},
		{"pipe that nobody writes to", func(t *testing.T) lists.Options {
			pipe := filepath.Join(t.TempDir(), "pipe")
			if err := syscall.Mkfifo(pipe, 0o600); err != nil {
				t.Fatal(err)
			}
			return lists.Options{Role: lists.Overlay{Add: []string{pipe}}}
		}, []string{"pipe: is no file"}},
		{"huge file", func(t *testing.T) lists.Options {
			path := file(t)
			if err := os.Truncate(path, 1<<40); err != nil { // A sparse one.
				t.Fatal(err)
			}
			return lists.Options{Disposable: lists.Overlay{Add: []string{path}}}
		}, []string{"is larger than 64 MiB"}},
		{"address instead of a domain", func(t *testing.T) lists.Options {
			return lists.Options{Disposable: lists.Overlay{Add: []string{file(t, "# x", "ada@example.com")}}}
		}, []string{"names.txt:2:", "@"}},
		{"every fault of every file", func(t *testing.T) lists.Options {
			return lists.Options{
				Disposable: lists.Overlay{Add: []string{file(t, "a..b", "fine.example", "localhost")}},
				Role:       lists.Overlay{Remove: []string{file(t, "in fo")}},
			}
		}, []string{"names.txt:1: invalid domain", "names.txt:3: invalid domain", `names.txt:1: "in fo"`}},
		{"added and removed", func(t *testing.T) lists.Options {
			return lists.Options{FreeProvider: lists.Overlay{Add: []string{file(t, "a.example", "B.example")}, Remove: []string{file(t, "b.example")}}}
		}, []string{"names.txt:2: b.example is also taken off, at "}},
		{"role with an @", func(t *testing.T) lists.Options {
			return lists.Options{Role: lists.Overlay{Add: []string{file(t, "info@example.com")}}}
		}, []string{"names.txt:1:", "not a name for a local part"}},
		{"role with a dot", func(t *testing.T) lists.Options {
			return lists.Options{Role: lists.Overlay{Add: []string{file(t, "customer.care")}}}
		}, []string{"joined by hyphens"}},
		{"two asterisks", func(t *testing.T) lists.Options {
			return lists.Options{Role: lists.Overlay{Add: []string{file(t, "*-care-*")}}}
		}, []string{"one end only"}},
		{"asterisk inside", func(t *testing.T) lists.Options {
			return lists.Options{Role: lists.Overlay{Add: []string{file(t, "ca*re")}}}
		}, []string{"not a name"}},
		{"asterisk alone", func(t *testing.T) lists.Options {
			return lists.Options{Role: lists.Overlay{Add: []string{file(t, "*-")}}}
		}, []string{"not a name"}},
		{"long line", func(t *testing.T) lists.Options {
			return lists.Options{Disposable: lists.Overlay{Add: []string{file(t, "a.example", strings.Repeat("x", 5000))}}}
		}, []string{"names.txt:2: the line is longer than 1024 octets"}},
		{"binary file", func(t *testing.T) lists.Options {
			return lists.Options{Disposable: lists.Overlay{Add: []string{file(t, "\x00\xff\xfe")}}}
		}, []string{"names.txt:1:", "UTF-8"}},
		{"too many faults", func(t *testing.T) lists.Options {
			return lists.Options{Disposable: lists.Overlay{Add: []string{file(t, strings.Repeat("x\n", 100))}}}
		}, []string{"names.txt:20:", "80 more faults"}},
	}
	l := mustNew(t, lists.Options{Disposable: lists.Overlay{Add: []string{file(t, "throwaway.example")}}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opts := tt.opts(t)
			checkMentions(t, l.Reload(opts), tt.want)
			if got := flags(l.Lookup(mustParse(t, "ada@throwaway.example"))); got != "d" {
				t.Errorf("after a failed Reload Lookup = %q, want the old lists", got)
			}
			if l, err := lists.New(opts); err == nil || l != nil {
				t.Errorf("New = %v, %v, want an error", l, err)
			}
		})
	}
}

// checkMentions wants an error whose text has all of want.
func checkMentions(t *testing.T, err error, want []string) {
	t.Helper()
	if err == nil {
		t.Fatal("Reload took it, want an error")
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("Reload: %v, want something with %q", err, w)
		}
	}
}
