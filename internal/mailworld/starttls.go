package mailworld

import (
	"bufio"
	"crypto/tls"
	"time"
)

// startTLS answers STARTTLS and, if all goes well, goes on under TLS with everything from before forgotten, RFC 3207 §4.2.
func (s *session) startTLS(c command) bool {
	if r, ok := s.tlsRefusal(); ok {
		return s.say(c.verb, s.b.replyTo(c.verb, r))
	}
	if n := s.r.Buffered(); n > 0 { // What follows in clear must not be taken for TLS, nor for a command.
		_, _ = s.r.Discard(n)
	}
	mode := s.b.TLS.Mode
	r := s.b.replyTo(c.verb, Say(220, "2.0.0 Ready to start TLS"))
	if mode == TLSInject {
		s.excused = true
		s.write(r)
		s.out = append(s.out, expand(s.b.TLS.Inject, s.placeholder)...)
	} else if goesOn := s.say(c.verb, r); !goesOn || r.Code != 220 {
		return goesOn
	}
	if s.flush() != nil {
		return false
	}
	switch mode {
	case TLSGarbage:
		s.excused = true
		_, _ = s.r.Peek(1) // The ClientHello, or the end.
		s.out = append(s.out, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"...)
		return s.close(Close)
	case TLSAbort:
		s.excused = true
		_, _ = s.r.Peek(1) // The ClientHello, or the end: closed in either case.
		return s.close(Close)
	case TLSHang:
		s.sink()
		return false
	default:
		return s.handshake()
	}
}

// tlsRefusal is the reply that ends STARTTLS before it begins, and whether there is one.
func (s *session) tlsRefusal() (Reply, bool) {
	switch {
	case s.tls:
		return Say(554, "5.5.1 Error: TLS already active"), true
	case s.b.TLS.Mode == NoTLS, s.b.TLS.Mode == TLSRefused:
		return Say(502, "5.5.1 Error: command not implemented"), true
	case s.b.TLS.Mode == TLSTempFail:
		return Say(454, "4.7.0 TLS not available due to local problem"), true
	}
	return Reply{}, false
}

// handshakeTimeout bounds a TLS handshake.
const handshakeTimeout = 30 * time.Second

func (s *session) handshake() bool {
	conn := tls.Server(s.tr, s.w.tlsConfig(s.b))
	if s.tr.SetDeadline(time.Now().Add(handshakeTimeout)) != nil {
		return false
	}
	if err := conn.Handshake(); err != nil { // The client's choice, or a mode that is meant to fail.
		s.excused = true
		return false
	}
	if s.tr.SetDeadline(time.Time{}) != nil {
		return false
	}
	s.conn, s.r = conn, bufio.NewReaderSize(conn, maxLine)
	s.tls, s.hello, s.esmtp, s.tx = true, false, false, transaction{}
	s.rec.encrypted()
	return true
}
