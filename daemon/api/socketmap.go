package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// Limits of a map's connections.
const (
	maxMapConns = 512
	maxMapKey   = 1024             // The longest request, in octets; an address has 320 at most.
	mapIdle     = 10 * time.Minute // Postfix keeps connections between look-ups, though not for as long.
)

// A Map answers a mail server's look-ups by Postfix's socketmap protocol (socketmap_table(5)), for check_recipient_access on a
// submission server: whether a recipient is dead is known before the message leaves.
//
// Only what is definitely undeliverable is found, with an action that rejects it. All else is not found, whatever the
// reason: a mail server never defers mail because of us.
type Map struct {
	srv      *Server
	deadline time.Duration

	wg     sync.WaitGroup
	mu     sync.Mutex // Guards all below.
	l      net.Listener
	conns  map[net.Conn]bool
	closed bool
}

// NewMap makes a Map that asks as s does, on behalf of the application that a connection's peer is, and gives each question
// deadline.
func (s *Server) NewMap(deadline time.Duration) *Map {
	return &Map{srv: s, deadline: deadline, conns: map[net.Conn]bool{}}
}

// Serve answers on l until Close, and closes l. It returns nil after Close, else why l failed.
func (m *Map) Serve(l net.Listener) error {
	m.mu.Lock()
	m.l = l
	closed := m.closed
	m.mu.Unlock()
	if closed {
		return l.Close()
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.closed {
				return nil
			}
			return err
		}
		if !m.enter(conn) {
			_ = conn.Close() // Postfix tries again.
			continue
		}
		m.wg.Go(func() {
			defer m.leave(conn)
			m.converse(conn)
		})
	}
}

func (m *Map) enter(conn net.Conn) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || len(m.conns) >= maxMapConns {
		return false
	}
	m.conns[conn] = true
	return true
}

func (m *Map) leave(conn net.Conn) {
	_ = conn.Close() // All is said.
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.conns, conn)
}

// Close ends all connections; those in the middle of a look-up get its answer first, as long as ctx lasts. From its first
// moment on, what is asked is not found.
func (m *Map) Close(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	l := m.l
	for conn := range m.conns {
		_ = conn.SetReadDeadline(time.Now()) // Ends the wait for the next look-up.
	}
	m.mu.Unlock()
	var err error
	if l != nil {
		err = l.Close()
	}
	ended := make(chan struct{})
	go func() { // Ends with the connections, which are closed below.
		m.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		m.mu.Lock()
		for conn := range m.conns {
			_ = conn.Close()
		}
		m.mu.Unlock()
		<-ended
	}
	return err
}

// converse answers the look-ups of one connection, one after the other.
func (m *Map) converse(conn net.Conn) {
	ctx, cancel := context.WithCancel(withPeer(context.Background(), m.srv.accounts, peerOf(conn)))
	defer cancel()
	r := bufio.NewReaderSize(conn, maxMapKey)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(mapIdle))
		if m.closing() {
			return
		}
		request, err := readNetstring(r)
		if err != nil {
			if !errors.Is(err, io.EOF) && !isTimeout(err) && !m.closing() {
				m.srv.log.Warn("socketmap: a request makes no sense", zap.Error(err))
			}
			return
		}
		_ = conn.SetWriteDeadline(time.Now().Add(m.deadline + m.srv.sendTimeout))
		if _, err := io.WriteString(conn, netstring(m.answer(ctx, request))); err != nil {
			return
		}
	}
}

func (m *Map) closing() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.closed
}

func isTimeout(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}

// notFound is the reply for what is not in the map.
const notFound = "NOTFOUND "

// answer is the reply to one look-up: the map's name, which says nothing here, a space, and the key.
func (m *Map) answer(ctx context.Context, request string) string {
	_, key, _ := strings.Cut(request, " ")
	email, ok := mapAddress(key)
	caller := callerOf(ctx)
	if !ok || caller.need(ScopeVerify) != nil || !m.srv.gate.enter() {
		return notFound
	}
	defer m.srv.gate.leave()
	ctx, cancel := context.WithTimeout(ctx, m.deadline)
	defer cancel()
	ans, err := m.srv.opts.Verifier.Verify(ctx, verify.Request{
		Email: email, MaxAge: -1, Deadline: m.deadline, ID: m.srv.ids.next(),
		App: caller.App, Weight: caller.Weight, Class: caller.Class,
	})
	if err != nil {
		if _, spent := errors.AsType[*QuotaError](err); spent {
			m.srv.accounts.turnedAway(caller.App)
		}
		return notFound
	}
	if ans.Reason.Verdict() != verdict.Undeliverable || ans.Reason == verdict.InvalidSyntax {
		// Syntax is Postfix's own to judge: it hands over addresses in a form of its own.
		return notFound
	}
	return fmt.Sprintf("OK %s %s", rejectCode(ans.Reason), oneLineASCII(ans.Explain()))
}

// mapAddress is the address that a key is about. Postfix asks for parts of addresses, too (access(5)): domains, and
// user@. It writes local-parts without their quotes.
func mapAddress(key string) (string, bool) {
	at := strings.LastIndexByte(key, '@')
	if at < 1 || at == len(key)-1 {
		return "", false
	}
	local, domain := key[:at], key[at+1:]
	if strings.HasPrefix(local, `"`) || !strings.ContainsAny(local, " \t\"(),:;<>@[\\]") &&
		!strings.HasPrefix(local, ".") && !strings.HasSuffix(local, ".") && !strings.Contains(local, "..") {
		return key, true
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(local) + `"@` + domain, true
}

// rejectCode is how a mail server says no for a reason: RFC 5321, 3463 and 7505.
func rejectCode(r verdict.Reason) string {
	switch r {
	case verdict.DomainNotFound, verdict.NoMailHost, verdict.MXUnroutable:
		return "550 5.1.2"
	case verdict.NullMX:
		return "556 5.1.10"
	case verdict.MailboxDisabled:
		return "550 5.2.1"
	case verdict.MailboxMoved:
		return "551 5.1.6"
	case verdict.SMTPUTF8Unsupported:
		return "553 5.6.7"
	case verdict.RecipientRefused:
		return "550 5.7.1"
	}
	return "550 5.1.1"
}

// oneLineASCII is s as a mail server can say it.
func oneLineASCII(s string) string {
	const most = 300
	out := make([]byte, 0, len(s))
	for _, r := range s {
		switch {
		case len(out) == most:
			return string(out)
		case r >= ' ' && r <= '~':
			out = append(out, byte(r))
		default:
			out = append(out, '?')
		}
	}
	return string(out)
}

var errNetstring = errors.New("not a netstring of at most 1024 octets")

// readNetstring reads LENGTH:TEXT, as in https://cr.yp.to/proto/netstrings.txt. io.EOF means that there is no more.
func readNetstring(r *bufio.Reader) (string, error) {
	length, err := readLength(r)
	if err != nil {
		return "", err
	}
	b := make([]byte, length+1)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", io.ErrUnexpectedEOF
	}
	if b[length] != ',' {
		return "", errNetstring
	}
	return string(b[:length]), nil
}

// readLength reads digits up to a colon: no more than it takes for maxMapKey, and no zeros before others.
func readLength(r *bufio.Reader) (int, error) {
	text, err := r.ReadSlice(':')
	if err != nil && len(text) == 0 {
		return 0, err
	}
	digits := strings.TrimSuffix(string(text), ":")
	n, bad := strconv.ParseUint(digits, 10, 16)
	if err != nil || bad != nil || n > maxMapKey || strconv.FormatUint(n, 10) != digits {
		return 0, errNetstring
	}
	return int(n), nil
}

func netstring(s string) string { return strconv.Itoa(len(s)) + ":" + s + "," }
