package maildns_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
)

// FuzzAnswer has servers say anything whatever after the right ID and question: a lookup must end, stay within its
// bounds, and never call a host found that may not be dialled.
func FuzzAnswer(f *testing.F) {
	z := newZone(f, world)
	z.special = breakNames
	say := func(name string, kind uint16) []byte {
		wire, err := z.answer(new(dns.Msg).SetQuestion(name, kind).SetEdns0(1232, false), "tcp").Pack()
		if err != nil {
			f.Fatal(err)
		}
		return wire
	}
	for _, name := range []string{
		"plain.example.", "null.example.", "alias.example.", "private.example.", "loop.example.", "gone.example.",
		"nomail.example.", "badname.example.", "implicit.example.", "servfail.example.",
	} {
		mx := say(name, dns.TypeMX)
		f.Add(name, mx, say(name, dns.TypeA), false)
		f.Add(name, mx, say("mx1.plain.example.", dns.TypeA), false)
		f.Add(name, mx, say("mx.private.example.", dns.TypeAAAA), false)
		f.Add(name, mx, say("nomail.example.", dns.TypeTXT), true)
	}
	f.Fuzz(func(t *testing.T, name string, mx, rest []byte, verbatim bool) {
		d, err := address.ParseDomain(strings.TrimSuffix(name, "."))
		if err != nil {
			return
		}
		dial := func(_ context.Context, network, _ string) (net.Conn, error) {
			return &parrot{mx: mx, rest: rest, verbatim: verbatim, stream: network == "tcp"}, nil
		}
		r := newResolver(t, maildns.Options{Servers: []string{serverA}, Dial: dial, IPv6: true})
		m, err := r.Lookup(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		checkBounds(t, m)
		txt, err := r.LookupTXT(t.Context(), d.ASCII())
		if err != nil {
			t.Fatal(err)
		}
		if len(txt.Values) > 64 || len(txt.Detail) > 300 || (txt.Status == maildns.Found) != (len(txt.Values) > 0) {
			t.Errorf("LookupTXT = %s, %d values, Detail of %d bytes", txt.Status, len(txt.Values), len(txt.Detail))
		}
	})
}

func checkBounds(t *testing.T, m maildns.MailHosts) {
	t.Helper()
	guard := allowDocs()
	usable := false
	for _, h := range m.Hosts {
		if len(h.Addrs) > 16 || len(h.Refused) > 16 || len(h.Detail) > 300 || len(h.Name) > 1024 || h.Name == "" {
			t.Errorf("host %q: %d addresses, %d refused, Detail of %d bytes", h.Name, len(h.Addrs), len(h.Refused), len(h.Detail))
		}
		if strings.ToLower(h.Name) != h.Name || strings.ContainsFunc(h.Name+h.Detail, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("host %q (%q): want lower case, printable ASCII", h.Name, h.Detail)
		}
		for _, a := range h.Addrs {
			usable = true
			if err := guard.Check(a); err != nil {
				t.Errorf("host %q: %v", h.Name, err)
			}
		}
		if (h.Status == maildns.Found) != (len(h.Addrs) > 0) {
			t.Errorf("host %q is %q with %d addresses", h.Name, h.Status, len(h.Addrs))
		}
	}
	if (m.Status == maildns.Found) != usable || m.Status == maildns.NotAsked || m.Status == maildns.NoData {
		t.Errorf("Status = %q with a usable host: %t", m.Status, usable)
	}
	if len(m.Hosts) > 64 || len(m.Detail) > 300 || m.TTL < 0 || m.TTL > 7*24*time.Hour || m.Status.Failed() && m.TTL != 0 {
		t.Errorf("%d hosts, Detail of %d bytes, TTL %s", len(m.Hosts), len(m.Detail), m.TTL)
	}
}

// parrot is a server on a connection of its own that answers every question for MX with mx and all others with rest: as
// they are, or with the ID and question of the query put in.
type parrot struct {
	mx, rest         []byte
	verbatim, stream bool
	out              []byte
}

func (p *parrot) Write(b []byte) (int, error) {
	n := len(b)
	if p.stream {
		b = b[2:]
	}
	query := new(dns.Msg)
	if err := query.Unpack(b); err != nil {
		return 0, err
	}
	wire := p.rest
	if query.Question[0].Qtype == dns.TypeMX {
		wire = p.mx
	}
	p.out = wire
	if !p.verbatim && len(wire) >= 12 {
		head := dns.Msg{MsgHdr: query.MsgHdr, Question: query.Question}
		front, err := head.Pack()
		if err != nil {
			return 0, err
		}
		copy(front[2:4], wire[2:4])   // Flags and response code.
		copy(front[6:12], wire[6:12]) // Counts of records.
		p.out = append(front, wire[min(len(wire), len(front)):]...)
		p.out[2] |= 0x80 // A response.
	}
	if p.stream {
		p.out = append(binary.BigEndian.AppendUint16(nil, uint16(len(p.out))), p.out...)
	}
	return n, nil
}

func (p *parrot) Read(b []byte) (int, error) {
	n := copy(b, p.out)
	if p.stream {
		p.out = p.out[n:]
		if n == 0 && len(b) > 0 {
			return 0, io.EOF
		}
	}
	return n, nil
}

var errNotNeeded = errors.New("not needed here")

func (*parrot) Close() error                     { return nil }
func (*parrot) LocalAddr() net.Addr              { return nil }
func (*parrot) RemoteAddr() net.Addr             { return nil }
func (*parrot) SetDeadline(time.Time) error      { return nil } // It never blocks.
func (*parrot) SetReadDeadline(time.Time) error  { return errNotNeeded }
func (*parrot) SetWriteDeadline(time.Time) error { return errNotNeeded }
