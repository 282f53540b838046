package maildns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// ednsSize is the datagram size we offer, RFC 6891 §6.2.3: what passes nearly every path unfragmented.
	ednsSize = 1232

	// udpBuffer takes in datagrams of servers that ignore ednsSize.
	udpBuffer = 4096

	// maxStrays is how many datagrams that are no answer to our query are passed over before the question
	// is asked over TCP: somebody may be guessing.
	maxStrays = 16

	headerSize = 12 // RFC 1035 §4.1.1
)

// Why a message that came is not an answer.
var (
	errBroken = errors.New("a message that can't be read")
	errStrays = errors.New("only messages that belong to no question of ours")
)

// A query is one question ready to be sent.
type query struct {
	id   uint16
	q    dns.Question
	wire []byte
}

// newQuery returns a query with an unpredictable ID, RFC 5452 §9.2.
func newQuery(q dns.Question, edns bool) (query, error) {
	m := dns.Msg{
		MsgHdr:   dns.MsgHdr{Id: dns.Id(), RecursionDesired: true},
		Question: []dns.Question{q},
	}
	if edns {
		m.SetEdns0(ednsSize, false)
	}
	wire, err := m.Pack()
	if err != nil {
		return query{}, fmt.Errorf("a question that can't be written: %w", err)
	}
	return query{id: m.Id, q: q, wire: wire}, nil
}

// roundTrip sends qy to the server at addr on a connection of its own and returns the answer that belongs to it.
// The error wraps errBroken, errStrays, or is the network's or ctx's; the caller bounds ctx.
func (set *settings) roundTrip(ctx context.Context, network, addr string, qy query) (*dns.Msg, error) {
	conn, err := set.opts.Dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer interruptOn(ctx, conn)()

	if network == "tcp" {
		return qy.overTCP(conn)
	}
	return qy.overUDP(conn)
}

// interruptOn ends all reads and writes on conn once ctx is done. The function it returns undoes that and
// waits for what it started.
func interruptOn(ctx context.Context, conn net.Conn) func() {
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // On a closed connection; the read says so.
	}
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_ = conn.SetDeadline(time.Unix(1, 0)) // As above.
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}

var udpBuffers = sync.Pool{New: func() any { return new([udpBuffer]byte) }}

func (qy query) overUDP(conn net.Conn) (*dns.Msg, error) {
	if _, err := conn.Write(qy.wire); err != nil {
		return nil, err
	}
	buf, _ := udpBuffers.Get().(*[udpBuffer]byte)
	defer udpBuffers.Put(buf) // A message that was read keeps nothing of it.
	for range maxStrays {
		n, err := conn.Read(buf[:])
		if err != nil {
			return nil, err
		}
		if m, ours, err := qy.read(buf[:n]); ours {
			return m, err
		}
	}
	return nil, errStrays
}

func (qy query) overTCP(conn net.Conn) (*dns.Msg, error) {
	out := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(qy.wire)), uint16(len(qy.wire))) //nolint:gosec // G115: a question of some octets.
	if _, err := conn.Write(append(out, qy.wire...)); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	buf := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(conn, buf); err != nil {
		return nil, err
	}
	m, ours, err := qy.read(buf)
	switch {
	case !ours:
		return nil, errStrays
	case err == nil && m.Truncated:
		return nil, fmt.Errorf("%w: cut short, over TCP", errBroken)
	}
	return m, err
}

// read returns the message in b if it is ours: a response with qy's ID and question, RFC 5452 §9.1. The error wraps
// errBroken if it is ours and can't be read whole. A message with the truncation bit is returned
// however much of it could be read.
func (qy query) read(b []byte) (m *dns.Msg, ours bool, err error) {
	if len(b) < headerSize {
		return nil, false, nil
	}
	m = new(dns.Msg)
	err = m.Unpack(b)
	if m.Id != qy.id || !m.Response || m.Opcode != dns.OpcodeQuery || !qy.answeredBy(m) {
		return nil, false, nil
	}
	switch {
	case m.Truncated:
		return m, true, nil
	case err != nil:
		return nil, true, fmt.Errorf("%w: %w", errBroken, err)
	case !complete(m, b):
		return nil, true, fmt.Errorf("%w: fewer records than it announces", errBroken)
	}
	return m, true, nil
}

// answeredBy says whether m repeats qy's question. Servers that could not read the query, or would not, may
// leave the question out; such a message can't do more than have us ask elsewhere.
func (qy query) answeredBy(m *dns.Msg) bool {
	if len(m.Question) == 0 {
		return m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError
	}
	q := m.Question[0]
	return len(m.Question) == 1 && q.Qtype == qy.q.Qtype && q.Qclass == qy.q.Qclass && strings.EqualFold(q.Name, qy.q.Name)
}

// complete says whether m has as many records as its header in b announces: package dns takes a
// message that ends between two records for a whole one, and missing records are no evidence of anything.
func complete(m *dns.Msg, b []byte) bool {
	return len(m.Answer) == int(binary.BigEndian.Uint16(b[6:])) &&
		len(m.Ns) == int(binary.BigEndian.Uint16(b[8:])) &&
		len(m.Extra) == int(binary.BigEndian.Uint16(b[10:]))
}
