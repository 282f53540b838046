package mailworld_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/textproto"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
)

// overTLS does the handshake and returns the peer that goes on under TLS.
func (p *peer) overTLS(c *tls.Config) (*peer, error) {
	p.t.Helper()
	c.InsecureSkipVerify = true
	c.ServerName = host
	conn := tls.Client(p.conn, c)
	if err := conn.HandshakeContext(p.t.Context()); err != nil {
		return nil, err
	}
	return &peer{p.t, conn, textproto.NewConn(conn)}, nil
}

func withTLS(mode mailworld.TLSMode) func(*mailworld.Host) {
	return func(h *mailworld.Host) {
		h.TLS = mailworld.TLS{Mode: mode, Inject: "250-injected\r\n250 PIPELINING\r\n"}
	}
}

func TestSTARTTLS(t *testing.T) {
	worlds := map[string]func(*testing.T, mailworld.Spec, func(*testing.T, *mailworld.World)){
		"memory":  inMemory,
		"sockets": func(t *testing.T, s mailworld.Spec, f func(*testing.T, *mailworld.World)) { f(t, start(t, s)) },
	}
	for name, run := range worlds {
		t.Run(name, func(t *testing.T) {
			run(t, spec(withTLS(mailworld.TLSOn)), func(t *testing.T, w *mailworld.World) {
				p := dial(t, w, 0)
				p.play("hello\n> STARTTLS\n< 220")
				s, err := p.overTLS(&tls.Config{})
				if err != nil {
					t.Fatal(err)
				}
				s.play("> MAIL FROM:<p@a.test>\n< 503\n> EHLO client.egress.test\n< 250\n" +
					"> MAIL FROM:<p@a.test>\n> " + rcpt("ada") + "\n> " + rcpt("x") + "\n> RSET\n< 250\n< 250\n< 550\n< 250\n> STARTTLS\n< 554\n" + quit)
				if err := w.Settle(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.Check(t)
				got := w.Sessions(host)
				if len(got) != 1 || !got[0].TLS || !got[0].Quit || got[0].Flights != 7 {
					t.Errorf("Sessions() = %+v, want one over TLS, ended by QUIT, of 7 flights", got)
				}
			})
		})
	}
}

func TestSTARTTLSRules(t *testing.T) {
	required := func(h *mailworld.Host) { h.TLS = mailworld.TLS{Mode: mailworld.TLSTempFail, Required: true} }
	playAll(t, []dialogue{
		{"not offered", nil, "hello\n> STARTTLS\n< 502\n" + quit, nil},
		{"454", withTLS(mailworld.TLSTempFail), "< 220\n> EHLO a.test\n< 250 STARTTLS\n> STARTTLS\n< 454\n> MAIL FROM:<p@a.test>\n< 250\n" + quit, nil},
		{"502", withTLS(mailworld.TLSRefused), "< 220\n> EHLO a.test\n< 250 STARTTLS\n> STARTTLS\n< 502\n" + quit, nil},
		{
			"another reply", func(h *mailworld.Host) {
				h.TLS.Mode = mailworld.TLSOn
				h.Replies = map[string]mailworld.Reply{"STARTTLS": mailworld.Say(550, "no")}
			},
			"hello\n> STARTTLS\n< 550\n> MAIL FROM:<p@a.test>\n< 250\n" + quit, nil,
		},
		{"required", required, "hello\n> MAIL FROM:<p@a.test>\n< 530 5.7.0 Must issue a STARTTLS\n" + quit, nil},
		{"injection", withTLS(mailworld.TLSInject), "hello\n> STARTTLS\n| 220 2.0.0 Ready to start TLS\\r\\n250-injected\\r\\n250 PIPELINING\\r\\n\nclose", nil},
		{"talking on in clear", withTLS(mailworld.TLSOn), "hello\n> STARTTLS\n> EHLO a.test\n< 220\n~ 1m\nclose", nil},
	})
}

func TestHandshakes(t *testing.T) {
	var header tls.RecordHeaderError
	tests := []struct {
		name string
		mode mailworld.TLSMode
		want func(error) bool
	}{
		{"garbage", mailworld.TLSGarbage, func(err error) bool { return errors.As(err, &header) }},
		{"abort", mailworld.TLSAbort, func(err error) bool { return err != nil }},
		{"hang", mailworld.TLSHang, func(err error) bool { return err != nil }},
		{"TLS 1.0", mailworld.TLSOld, func(err error) bool { return err != nil }},
		{"expired", mailworld.TLSExpired, func(err error) bool { return err == nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inMemory(t, spec(withTLS(tt.mode)), func(t *testing.T, w *mailworld.World) {
				p := dial(t, w, 0)
				p.play("hello\n> STARTTLS\n< 220")
				if err := p.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
					t.Fatal(err)
				}
				_, err := p.overTLS(&tls.Config{MinVersion: tls.VersionTLS12})
				if !tt.want(err) {
					t.Errorf("handshake: %v", err)
				}
				p.shut()
				time.Sleep(time.Minute)
				if tt.mode != mailworld.TLSExpired {
					w.Check(t)
				}
			})
		})
	}
}

func TestOldTLS(t *testing.T) {
	inMemory(t, spec(withTLS(mailworld.TLSOld)), func(t *testing.T, w *mailworld.World) {
		p := dial(t, w, 0)
		p.play("hello\n> STARTTLS\n< 220")
		s, err := p.overTLS(&tls.Config{MinVersion: tls.VersionTLS10})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.conn.(*tls.Conn).ConnectionState().Version; got != tls.VersionTLS10 {
			t.Errorf("version = %#x, want TLS 1.0", got)
		}
		s.play("> EHLO a.test\n< 250\n" + quit)
	})
}

func TestCertificate(t *testing.T) {
	for mode, expired := range map[mailworld.TLSMode]bool{mailworld.TLSOn: false, mailworld.TLSExpired: true} {
		w := start(t, spec(withTLS(mode)))
		p := dial(t, w, 0)
		p.play("hello\n> STARTTLS\n< 220")
		s, err := p.overTLS(&tls.Config{})
		if err != nil {
			t.Fatal(err)
		}
		leaf := s.conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
		roots := x509.NewCertPool()
		roots.AddCert(leaf)
		_, err = leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots})
		if (err != nil) != expired {
			t.Errorf("mode %d: verifying the certificate: %v, want an error: %t", mode, err, expired)
		}
		s.play("> EHLO a.test\n< 250\n" + quit)
	}
}

func TestPipeliningByTLS(t *testing.T) {
	tests := []struct {
		name       string
		kind       mailworld.Pipelining
		clear, tls []string
	}{
		{"before", mailworld.PipeliningBeforeTLS, nil, []string{"without PIPELINING"}},
		{"after", mailworld.PipeliningAfterTLS, []string{"without PIPELINING"}, nil},
	}
	const two = "> MAIL FROM:<p@a.test>\n> RSET\n< 250\n< 250\n"
	for _, tt := range tests {
		on := func(h *mailworld.Host) { h.TLS.Mode, h.Pipelining = mailworld.TLSOn, tt.kind }
		t.Run(tt.name+", in clear", func(t *testing.T) {
			inMemory(t, spec(on), func(t *testing.T, w *mailworld.World) {
				dial(t, w, 0).play("hello\n" + two + quit)
				wantViolations(t, w, tt.clear)
			})
		})
		t.Run(tt.name+", under TLS", func(t *testing.T) {
			inMemory(t, spec(on), func(t *testing.T, w *mailworld.World) {
				p := dial(t, w, 0)
				p.play("hello\n> STARTTLS\n< 220")
				s, err := p.overTLS(&tls.Config{})
				if err != nil {
					t.Fatal(err)
				}
				s.play("> EHLO a.test\n< 250\n" + two + quit)
				wantViolations(t, w, tt.tls)
			})
		})
	}
}
