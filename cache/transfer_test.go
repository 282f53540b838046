package cache

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// filled is a cache with facts about some domains, one of them contradicted.
func filled(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	d := domain(t, "example.com")
	f := verdict.DomainFact{AcceptsAll: verdict.False, CheckedAt: start, Evidence: sample(addr(t, ada), verdict.MailboxAccepted, start).Evidence[1:]}
	if err := b.PutDomain(b.BeginDomain(d), d, f); err != nil {
		t.Fatal(err)
	}
	b.habit("example.net", true)
	b.habit("gone.example", true)
	b.Contradict(domain(t, "gone.example"))
	uniform := domain(t, "uniform.example")
	if err := b.PutDomain(b.BeginDomain(uniform), uniform, verdict.DomainFact{Reason: verdict.UniformRefusal}); err != nil {
		t.Fatal(err)
	}
	b.putStatus(maildns.Found, time.Hour)
	failing := found(domain(t, "failing.example"), start)
	failing.Status = maildns.Timeout
	b.PutHosts(b.BeginDomain(failing.Domain), failing)
	b.put(ada, verdict.MailboxAccepted)
	return b
}

func TestTransfer(t *testing.T) {
	from, to := filled(t), newBench(t)
	var buf bytes.Buffer
	if n, err := from.Export(t.Context(), &buf); n != 4 || err != nil {
		t.Fatalf("Export = %d, %v, want 4 records", n, err)
	}
	for _, secret := range []string{"lovelace", "gone.example", "failing.example"} {
		if strings.Contains(strings.ToLower(buf.String()), secret) {
			t.Errorf("the export holds %q:\n%s", secret, buf.String())
		}
	}
	res, err := to.Import(t.Context(), bytes.NewReader(buf.Bytes()))
	if err != nil || res != (ImportResult{Read: 4}) {
		t.Fatalf("Import = %+v, %v, want 4 records", res, err)
	}
	to.wantHabit("example.com", verdict.False, fresh)
	to.wantHabit("example.net", verdict.True, fresh)
	to.wantHabit("gone.example", verdict.Undetermined, none)
	to.wantHosts(maildns.Found, fresh)
	for _, name := range []string{"example.com", "uniform.example"} {
		want, _ := from.Domain(domain(t, name))
		if got, _ := to.Domain(domain(t, name)); !reflect.DeepEqual(got, want) {
			t.Errorf("Domain(%s) = %+v, want %+v", name, got, want)
		}
	}
	want, _ := from.Hosts(domain(t, "example.com"))
	want.Took = 0 // How long the other host took says nothing here.
	if got, _ := to.Hosts(domain(t, "example.com")); !reflect.DeepEqual(got, want) {
		t.Errorf("Hosts = %+v, want %+v", got, want)
	}
	var again bytes.Buffer
	if _, err := to.Export(t.Context(), &again); err != nil || again.Len() != buf.Len() {
		t.Errorf("exported again: %v,\n%s, want\n%s", err, again.String(), buf.String())
	}
}

func TestImportKeepsWhatIsNewer(t *testing.T) {
	from, to := filled(t), newBench(t)
	var buf bytes.Buffer
	if _, err := from.Export(t.Context(), &buf); err != nil {
		t.Fatal(err)
	}
	to.clock.advance(time.Minute)
	to.habit("example.com", true)
	if _, err := to.Import(t.Context(), bytes.NewReader(buf.Bytes())); err != nil {
		t.Fatal(err)
	}
	to.wantHabit("example.com", verdict.True, fresh)
	if n := to.Stats().Contradictions; n != 0 {
		t.Errorf("Contradictions = %d, want none by what is older", n)
	}

	late := newBench(t)
	late.clock.advance(60 * day)
	if res, err := late.Import(t.Context(), bytes.NewReader(buf.Bytes())); err != nil || res != (ImportResult{Read: 4, Old: 4}) {
		t.Errorf("Import after 60 days = %+v, %v, want 4 old records", res, err)
	}
}

func TestImportIsStrict(t *testing.T) {
	const header = `{"kind":"verimaild-cache","version":1,"exported_at":"2026-11-23T09:00:00Z"}` + "\n"
	const good = `{"kind":"domain","domain":"example.com","accepts_all":true,"checked_at":"2026-11-23T09:00:00Z"}` + "\n"
	tests := []struct {
		name, in string
		line     int
	}{
		{"empty", "", 1},
		{"no header", good, 1},
		{"other version", `{"kind":"verimaild-cache","version":2,"exported_at":"2026-11-23T09:00:00Z"}`, 1},
		{"not JSON", header + good + "rubbish", 3},
		{"cut off", header + good[:40], 2},
		{"unknown kind", header + `{"kind":"mailbox"}`, 2},
		{"unknown field", header + strings.Replace(good, `"accepts_all"`, `"accept_all"`, 1), 2},
		{"two values", header + strings.TrimSpace(good) + good, 2},
		{"bad domain", header + strings.Replace(good, "example.com", "ex ample.com", 1), 2},
		{"domain in capitals", header + strings.Replace(good, "example.com", "Example.com", 1), 2},
		{"says nothing", header + `{"kind":"domain","domain":"example.com","accepts_all":null,"checked_at":"2026-11-23T09:00:00Z"}`, 2},
		{"a reason about us", header + `{"kind":"domain","domain":"example.com","accepts_all":null,"reason":"source_blocked","checked_at":"2026-11-23T09:00:00Z"}`, 2},
		{"no time", header + `{"kind":"domain","domain":"example.com","accepts_all":true}`, 2},
		{"blank lines are counted", header + "\n\n" + good + "rubbish", 5},
		{"mail hosts that failed", header + `{"kind":"mail_hosts","domain":"example.com","status":"timeout","ttl_s":1,"at":"2026-11-23T09:00:00Z"}`, 2},
		{"mail hosts with a bad TTL", header + `{"kind":"mail_hosts","domain":"example.com","status":"found","ttl_s":-1,"at":"2026-11-23T09:00:00Z"}`, 2},
		{"mail hosts with a bad address", header + `{"kind":"mail_hosts","domain":"example.com","status":"found","ttl_s":1,"at":"2026-11-23T09:00:00Z","hosts":[{"name":"mx.example.com","preference":1,"addrs":["300.1.1.1"]}]}`, 2},
		{"mail hosts with a bad name", header + `{"kind":"mail_hosts","domain":"example.com","status":"found","ttl_s":1,"at":"2026-11-23T09:00:00Z","hosts":[{"name":"mx\nQUIT","preference":1}]}`, 2},
		{"mail hosts without time", header + `{"kind":"mail_hosts","domain":"example.com","status":"found","ttl_s":1}`, 2},
		{"line that is too long", header + good + strings.Repeat("x", maxImportLine+1), 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			_, err := b.Import(t.Context(), strings.NewReader(tt.in))
			e, ok := errors.AsType[*ImportError](err)
			if !ok || e.Line != tt.line {
				t.Errorf("Import = %v, want an error in line %d", err, tt.line)
			}
			if strings.Contains(tt.in, good+"rubbish") {
				b.wantHabit("example.com", verdict.True, fresh) // What stood before the error was taken.
			}
		})
	}
}

func FuzzImport(f *testing.F) {
	f.Add(`{"kind":"domain","domain":"example.com","accepts_all":true,"checked_at":"2026-11-23T09:00:00Z"}`)
	f.Add(`{"kind":"mail_hosts","domain":"example.com","status":"found","ttl_s":3600,"at":"2026-11-23T09:00:00Z","hosts":[{"name":"mx.example.com","preference":1,"addrs":["192.0.2.1"]}]}`)
	b := newBench(f)
	f.Fuzz(func(t *testing.T, line string) {
		in := `{"kind":"verimaild-cache","version":1,"exported_at":"2026-11-23T09:00:00Z"}` + "\n" + line
		_, err := b.Import(t.Context(), strings.NewReader(in))
		if _, ok := errors.AsType[*ImportError](err); err != nil && !ok {
			t.Errorf("Import(%q) = %v, want an ImportError", line, err)
		}
	})
}
