package verify

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

func mustParse(t testing.TB, s string) address.Address {
	t.Helper()
	a, err := address.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// sampleTicket is a ticket with all its fields set.
func sampleTicket(t testing.TB) *ticket {
	t.Helper()
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	return &ticket{
		addr: mustParse(t, `"ada lovelace"@example.com`), source: "a", sender: "probe@egress.example.net",
		first: at, visits: 2, due: at.Add(40 * time.Minute), control: true,
		reason: verdict.Greylisted, checkedAt: at.Add(10 * time.Minute), provider: "google",
		mx: []verdict.MX{{Host: "mx.example.com", Preference: 10}}, implicitMX: verdict.False,
		evidence: []verdict.Evidence{{
			Stage: "rcpt", MX: "mx.example.com", IP: netip.MustParseAddr("192.0.2.25"), Source: "a", TLS: "TLS1.3", Code: 450,
			Enhanced: "4.2.0", Text: "Greylisted", Class: "greylisted", Scope: "source_site", Rule: "grey", At: at,
			Dialogue: []verdict.Line{{At: at, Client: true, Text: "RCPT TO:<x>"}, {At: at, Text: "450 4.2.0 Greylisted"}},
		}},
	}
}

func TestTicketEncoding(t *testing.T) {
	want := sampleTicket(t)
	got, err := decodeTicket(encodeTicket(want))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("decodeTicket(encodeTicket()) = %+v, %v, want %+v", got, err, want)
	}
	long := sampleTicket(t)
	for len(long.evidence[0].Dialogue) < 2000 {
		long.evidence[0].Dialogue = append(long.evidence[0].Dialogue, verdict.Line{Text: "250-and on, and on, and on"})
	}
	got, err = decodeTicket(encodeTicket(long))
	if err != nil || len(got.evidence) != 1 || got.evidence[0].Dialogue != nil {
		t.Errorf("a ticket too long: %+v, %v, want it without dialogues", got, err)
	}
	long.evidence[0].Text = strings.Repeat("x", maxTicketSize)
	if got, err = decodeTicket(encodeTicket(long)); err != nil || got.evidence != nil {
		t.Errorf("a ticket far too long: %+v, %v, want it without evidence", got, err)
	}
}

func TestTicketRefusesNonsense(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(*ticket)
	}{
		{"no visit", func(k *ticket) { k.visits = 0 }},
		{"too many visits", func(k *ticket) { k.visits = 6 }},
		{"no source", func(k *ticket) { k.source = "" }},
		{"due before it began", func(k *ticket) { k.due = k.first.Add(-time.Second) }},
		{"due in a year", func(k *ticket) { k.due = k.first.Add(365 * 24 * time.Hour) }},
		{"a verdict", func(k *ticket) { k.reason = verdict.MailboxNotFound }},
		{"no address", func(k *ticket) { k.addr = address.Address{} }},
	} {
		k := sampleTicket(t)
		test.spoil(k)
		if got, err := decodeTicket(encodeTicket(k)); !errors.Is(err, errTicket) {
			t.Errorf("%s: decodeTicket() = %+v, %v, want errTicket", test.name, got, err)
		}
	}
	for _, b := range [][]byte{nil, {}, {ticketVersion}, {ticketVersion + 1, '{', '}'}, []byte("\x01{"), bytes.Repeat([]byte{1}, maxTicketSize+1)} {
		if _, err := decodeTicket(b); !errors.Is(err, errTicket) {
			t.Errorf("decodeTicket(%.20q) = %v, want errTicket", b, err)
		}
	}
}

func FuzzDecodeTicket(f *testing.F) {
	f.Add(encodeTicket(sampleTicket(f)))
	f.Add([]byte("\x01{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := decodeTicket(b)
		if err != nil {
			return
		}
		if k.reason.Verdict() != verdict.Unknown || k.visits < 1 || k.due.Before(k.first) {
			t.Fatalf("decodeTicket(%q) = %+v", b, k)
		}
		again, err := decodeTicket(encodeTicket(k))
		if err != nil || again.addr != k.addr || !again.due.Equal(k.due) {
			t.Fatalf("encoded and decoded again: %+v, %v, want %+v", again, err, k)
		}
	})
}

// TestTicketsOutliveARestart: who was put off is known after a restart, and the disk does not tell whom.
func TestTicketsOutliveARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	open := func() (*store.Stores, *ticketBook) {
		t.Helper()
		stores, err := store.Open(store.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		file, err := openTicketFile(stores)
		if err != nil {
			t.Fatal(err)
		}
		return stores, newTicketBook(file, zap.NewNop())
	}
	now := sampleTicket(t).first.Add(20 * time.Minute)
	stores, book := open()
	kept, dropped := sampleTicket(t), sampleTicket(t)
	dropped.addr = mustParse(t, "bob@example.com")
	old := sampleTicket(t)
	old.addr = mustParse(t, "carol@example.com")
	old.first, old.due = old.first.Add(-25*time.Hour), old.first.Add(-24*time.Hour)
	for _, k := range []*ticket{kept, dropped, old} {
		book.keep(k, now)
	}
	book.drop(dropped.addr)
	if err := stores.State().Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := stores.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lovelace", "bob@", "carol", "egress.example.net"} {
		if file := grep(t, dir, name); file != "" {
			t.Errorf("%s holds %q", file, name)
		}
	}
	stores, book = open()
	defer stores.Close()
	book.load(now)
	if got := book.of(kept.addr, kept.sender); !reflect.DeepEqual(got, kept) {
		t.Errorf("after a restart: %+v, want %+v", got, kept)
	}
	if !book.expected("example.com", "a") || book.expected("example.com", "b") {
		t.Error("after a restart it is not known where the control waits")
	}
	for _, k := range []*ticket{dropped, old} {
		if got := book.of(k.addr, k.sender); got != nil {
			t.Errorf("after a restart: %+v, want no ticket", got)
		}
	}
	if got := book.of(kept.addr, "another@egress.example.net"); got != nil {
		t.Errorf("of(another sender) = %+v, want no ticket", got)
	}
	if k, wait := book.next(now); k != nil || wait != kept.due.Sub(now) {
		t.Errorf("next() = %+v, %v, want nobody for %v", k, wait, kept.due.Sub(now))
	}
	if k, _ := book.next(kept.due); k == nil || k.addr != kept.addr {
		t.Errorf("next() when it is due = %+v, want the ticket", k)
	}
}

// grep is a file below dir that holds the text; "" if none does.
func grep(t *testing.T, dir, text string) (found string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			found = path
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestTicketOfAnotherAddress: a value that was moved to another key is not one.
func TestTicketOfAnotherAddress(t *testing.T) {
	stores, err := store.Open(store.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	defer stores.Close()
	file, err := openTicketFile(stores)
	if err != nil {
		t.Fatal(err)
	}
	k := sampleTicket(t)
	sealed := file.aead.Seal(nil, nil, encodeTicket(k), file.key(k.addr))
	if _, err := file.open(file.key(k.addr), sealed); err != nil {
		t.Errorf("open() = %v, want the ticket", err)
	}
	if _, err := file.open(file.key(mustParse(t, "bob@example.com")), sealed); err == nil {
		t.Error("open() of another's ticket has no error")
	}
	sealed[len(sealed)-1] ^= 1
	if _, err := file.open(file.key(k.addr), sealed); err == nil {
		t.Error("open() of a damaged ticket has no error")
	}
}

func TestVisits(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		before *ticket
		told   time.Duration
		now    time.Duration // Since the first visit.
		due    time.Duration // Since the first visit.
		spent  bool
	}{
		{"the first, nothing said", nil, 0, 0, 310 * time.Second, false},
		{"the first, a minute", nil, time.Minute, 0, 61 * time.Second, false},
		{"the first, a day", nil, 24 * time.Hour, 0, 12 * time.Hour, false},
		{"the second", &ticket{first: at, visits: 1}, 0, 310 * time.Second, 310*time.Second + 30*time.Minute, false},
		{"the second, a minute said again", &ticket{first: at, visits: 1}, time.Minute, time.Hour, 90 * time.Minute, false},
		{"the second, an hour said", &ticket{first: at, visits: 1}, time.Hour, time.Hour, 2*time.Hour + time.Second, false},
		{"the third", &ticket{first: at, visits: 2}, 0, time.Hour, 3 * time.Hour, false},
		{"the fourth", &ticket{first: at, visits: 3}, 0, 3 * time.Hour, 9 * time.Hour, false},
		{"the fourth, late", &ticket{first: at, visits: 3}, 0, 11 * time.Hour, 12 * time.Hour, false},
		{"the last by number", &ticket{first: at, visits: 4}, 0, 9 * time.Hour, 24 * time.Hour, true},
		{"the last by time", &ticket{first: at, visits: 2}, 0, 12 * time.Hour, 24 * time.Hour, true},
		{"the last, very late", &ticket{first: at, visits: 2}, 0, 30 * time.Hour, 30*time.Hour + minRepeat, true},
	} {
		var next ticket
		test.before.schedule(&next, test.told, at.Add(test.now))
		if got := next.due.Sub(at); got != test.due || next.spent != test.spent {
			t.Errorf("%s: due after %v, spent %v; want %v, %v", test.name, got, next.spent, test.due, test.spent)
		}
		if got := test.before.lastVisit(at.Add(test.now)); got != test.spent {
			t.Errorf("%s: lastVisit() = %v, want %v", test.name, got, test.spent)
		}
	}
}

// TestTicketsAreBounded: one more than there is room for is answered all the same, and not kept.
func TestTicketsAreBounded(t *testing.T) {
	book := newTicketBook(nil, zap.NewNop())
	k := sampleTicket(t)
	for i := range maxTickets {
		book.tickets[string(rune(i))] = k
	}
	book.keep(k, k.first)
	if got := book.of(k.addr, k.sender); got != nil || len(book.tickets) != maxTickets {
		t.Errorf("%d tickets, want %d", len(book.tickets), maxTickets)
	}
}
