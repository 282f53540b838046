package cache

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

// TestMailboxIsSmall holds a record without a dialogue to 120 bytes, and one with a whole session to 400.
func TestMailboxIsSmall(t *testing.T) {
	a := addr(t, ada)
	for _, r := range []verdict.Reason{verdict.MailboxAccepted, verdict.MailboxNotFound, verdict.MailboxFull, verdict.AcceptedCatchAll} {
		rec := mailboxRecord{Mailbox: sample(a, r, start)}
		if n := len(packMailbox(&rec, a)); n > 120 {
			t.Errorf("%s without dialogue: %d bytes, want 120 at most", r, n)
		}
		rec.Evidence[0].Dialogue = dialogue(a, start)
		if n := len(packMailbox(&rec, a)); n > 400 {
			t.Errorf("%s with dialogue: %d bytes, want 400 at most", r, n)
		}
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden holds the encoding to what earlier versions wrote: it may only change together with the version byte.
func TestGolden(t *testing.T) {
	a := addr(t, ada)
	rec := mailboxRecord{Mailbox: sample(a, verdict.MailboxAccepted, start), epoch: 1790000000, refusal: verdict.MailboxNotFound, refusedAt: start.Add(time.Hour)}
	rec.Evidence[0].Dialogue = dialogue(a, start)
	fact := factRecord{DomainFact: verdict.DomainFact{Domain: "example.com", AcceptsAll: verdict.False, CheckedAt: start, Evidence: rec.Evidence[1:]}, epoch: 7}
	hosts := hostsRecord{MailHosts: found(domain(t, "example.com"), start), failedAt: start.Add(time.Minute)}
	tests := []struct {
		name   string
		value  []byte
		decode func(b []byte) (any, error)
		want   any
	}{
		{"mailbox", packMailbox(&rec, a), func(b []byte) (any, error) { return unpackMailbox(b, a) }, &rec},
		{"domain", packFact(&fact), func(b []byte) (any, error) { return unpackFact(b) }, &fact},
		{"hosts", packHosts(&hosts), func(b []byte) (any, error) { return unpackHosts(b) }, &hosts},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join("testdata", tt.name+"1.hex")
			if *update {
				if err := os.WriteFile(file, []byte(hex.Dump(tt.value)), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tt.decode(undump(t, string(b)))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("decode(%s) = %+v, %v, want %+v", file, got, err, tt.want)
			}
		})
	}
}

// undump reads the output of hex.Dump.
func undump(t *testing.T, dump string) []byte {
	t.Helper()
	var out []byte
	for line := range strings.Lines(dump) {
		digits, _, _ := strings.Cut(line[min(10, len(line)):], "|")
		b, err := hex.DecodeString(strings.ReplaceAll(strings.TrimSpace(digits), " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}

func TestDamagedValuesAreMisses(t *testing.T) {
	a := addr(t, ada)
	rec := mailboxRecord{Mailbox: sample(a, verdict.MailboxAccepted, start)}
	good := packMailbox(&rec, a)
	damage := map[string][]byte{
		"empty":           {},
		"unknown version": append([]byte{0x20}, good[1:]...),
		"cut off":         good[:len(good)-1],
		"too long":        append(slices.Clone(good), 0),
		"all ones":        slices.Repeat([]byte{0xff}, 50),
		"zip bomb":        {packed1, 0xff, 0xff, 0xff, 0x7f},
	}
	for name, value := range damage {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			d := b.hashes.domain(a.Domain())
			if err := b.mailboxes.Put(t.Context(), b.hashes.mailbox(d, a), value, 0); err != nil {
				t.Fatal(err)
			}
			if err := b.facts.Put(t.Context(), d[:], value, 0); err != nil {
				t.Fatal(err)
			}
			if err := b.Cache.hosts.Put(t.Context(), d[:], value, 0); err != nil {
				t.Fatal(err)
			}
			_, mailbox := b.Mailbox(a)
			_, fact := b.Domain(a.Domain())
			_, hosts := b.Hosts(a.Domain())
			if mailbox != none || fact != none || hosts != none {
				t.Errorf("a damaged value was read: %v, %v, %v", mailbox, fact, hosts)
			}
			if s := b.Stats(); s.Bad != 3 || s.Kinds[kindMailbox].Misses != 1 {
				t.Errorf("Stats() = %+v, want 3 bad values", s)
			}
			b.put(ada, verdict.MailboxNotFound) // It is written over.
			b.want(ada, verdict.MailboxNotFound, fresh)
		})
	}
}

func TestBounds(t *testing.T) {
	b := newBench(t)
	a := addr(t, ada)
	m := sample(a, verdict.MailboxAccepted, start)
	long := strings.Repeat("ü", 5000)
	for range 20 {
		ev := m.Evidence[0]
		ev.Text, ev.MX, ev.Rule, ev.Code = long, long, long, 12345
		for range 60 {
			ev.Dialogue = append(ev.Dialogue, verdict.Line{At: start, Text: long})
		}
		m.Evidence = append(m.Evidence, ev)
		m.MX = append(m.MX, verdict.MX{Host: long})
	}
	m.Provider = long
	if _, err := b.PutMailbox(b.Begin(a), a, m); err != nil {
		t.Fatal(err)
	}
	b.emptyMemory()
	got, f := b.Mailbox(a)
	if f != fresh || len(got.Evidence) != maxEvidence || len(got.MX) != maxMX || len(got.Provider) > maxName {
		t.Fatalf("Mailbox = %v, %d entries, %d hosts", f, len(got.Evidence), len(got.MX))
	}
	lines, bytes := 0, 0
	for _, ev := range got.Evidence {
		if len(ev.Text) > maxText || len(ev.MX) > maxName || len(ev.Rule) > maxName || ev.Code != 0 {
			t.Errorf("entry with a text of %d bytes, code %d", len(ev.Text), ev.Code)
		}
		lines += len(ev.Dialogue)
		for _, l := range ev.Dialogue {
			bytes += len(l.Text)
		}
	}
	if lines > maxLines || bytes > maxDialogue+maxLine {
		t.Errorf("dialogues of %d lines and %d bytes, want %d and %d at most", lines, bytes, maxLines, maxDialogue)
	}
}

// TestHostileWords stores what a server might say to make records grow: text that redaction makes longer.
func TestHostileWords(t *testing.T) {
	for name, text := range map[string]string{
		"marks":      strings.Repeat("\x1a", 5000),
		"addresses":  strings.Repeat("a@b ", 2000),
		"own name":   strings.Repeat("ada.lovelace+news ", 300),
		"not UTF-8":  strings.Repeat("\xff\xfe", 3000),
		"line break": strings.Repeat("\r\n", 3000),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			a := addr(t, ada)
			m := sample(a, verdict.MailboxAccepted, start)
			for range 20 {
				ev := m.Evidence[0]
				ev.Text, ev.MX = text, text
				for range 20 {
					ev.Dialogue = append(ev.Dialogue, verdict.Line{At: start, Text: text})
				}
				m.Evidence = append(m.Evidence, ev)
			}
			if _, err := b.PutMailbox(b.Begin(a), a, m); err != nil {
				t.Fatal(err)
			}
			b.want(ada, verdict.MailboxAccepted, fresh)
			if n := b.Stats().Bad; n != 0 {
				t.Errorf("Stats().Bad = %d, want 0", n)
			}
			rec := mailboxRecord{Mailbox: b.trimMailbox(m)}
			if n := len(packMailbox(&rec, a)); n > maxBody/2 {
				t.Errorf("the record has %d bytes, want well below %d", n, maxBody)
			}
		})
	}
}

func TestMiddleOfDialogueIsLeftOut(t *testing.T) {
	a := addr(t, ada)
	var lines []verdict.Line
	for range 10 {
		lines = append(lines, dialogue(a, start)...)
	}
	list := trimEvidence([]verdict.Evidence{{Dialogue: lines}})
	got := list[0].Dialogue
	if len(got) > maxLines || got[0].Text != lines[0].Text || got[len(got)-1].Text != lines[len(lines)-1].Text {
		t.Fatalf("%d lines, from %q to %q, want both ends of the dialogue", len(got), got[0].Text, got[len(got)-1].Text)
	}
	if !slices.ContainsFunc(got, func(l verdict.Line) bool { return strings.HasSuffix(l.Text, "lines not kept]") }) {
		t.Error("nothing says that lines were left out")
	}
}

func FuzzDecode(f *testing.F) {
	a := addr(f, ada)
	rec := mailboxRecord{Mailbox: sample(a, verdict.MailboxAccepted, start), epoch: 5}
	rec.Evidence[0].Dialogue = dialogue(a, start)
	fact := factRecord{DomainFact: verdict.DomainFact{Domain: "example.com", AcceptsAll: verdict.False, CheckedAt: start, Evidence: rec.Evidence}}
	hosts := hostsRecord{MailHosts: found(domain(f, "example.com"), start)}
	for _, value := range [][]byte{packMailbox(&rec, a), packFact(&fact), packHosts(&hosts)} {
		f.Add(value)
		if body, err := unpack(value); err == nil {
			f.Add(append([]byte{plain1}, body...))
		}
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		if r, err := unpackMailbox(value, a); err == nil {
			again, err := unpackMailbox(packMailbox(r, a), a)
			if err != nil || !r.Reason.OfMailbox() {
				t.Errorf("mailbox %+v becomes %+v, %v", r, again, err)
			}
		}
		if r, err := unpackFact(value); err == nil {
			if again, err := unpackFact(packFact(r)); err != nil || again.AcceptsAll != r.AcceptsAll {
				t.Errorf("fact %+v becomes %+v, %v", r, again, err)
			}
		}
		if r, err := unpackHosts(value); err == nil {
			if again, err := unpackHosts(packHosts(r)); err != nil || !reflect.DeepEqual(r, again) {
				t.Errorf("hosts %+v become %+v, %v", r, again, err)
			}
		}
	})
}
