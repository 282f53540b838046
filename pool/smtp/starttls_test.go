package smtp

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// certificate is newCertificate for tests.
func certificate(t testing.TB, notBefore time.Time) tls.Certificate {
	t.Helper()
	cert, err := newCertificate(notBefore)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// newCertificate makes a self-signed certificate for mx.example.net that is valid for an hour from notBefore on.
func newCertificate(notBefore time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx.example.net"}, DNSNames: []string{"mx.example.net"},
		NotBefore: notBefore, NotAfter: notBefore.Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// secure grants STARTTLS and puts the peer under TLS.
func (p *peer) secure(cfg *tls.Config) *tls.Conn {
	p.t.Helper()
	p.expect("STARTTLS")
	p.send("220 2.0.0 Ready")
	conn := tls.Server(p.conn, cfg)
	p.conn = conn
	p.in.Reset(conn)
	return conn
}

func TestSTARTTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := &tls.Config{Certificates: []tls.Certificate{certificate(t, time.Now())}}
		var sni string
		s, _ := open(t, config(), func(p *peer) {
			p.hello("PIPELINING", "STARTTLS", "LIMITS RCPTMAX=7")
			conn := p.secure(cfg)
			p.ehlo("SMTPUTF8", "STARTTLS")
			sni = conn.ConnectionState().ServerName
			p.expect(mailFrom)
			p.quiet(time.Second) // PIPELINING was offered in clear only.
			p.send("250 ok")
			p.expect(rcpt(ada))
			p.send("250 ok")
			p.expect("RSET")
			p.send("250 ok")
			p.bye()
		})
		if got := s.TLSVersion(); got != "TLS1.3" {
			t.Errorf("TLSVersion() = %q, want TLS1.3", got)
		}
		if got, want := s.Extensions(), (Extensions{SMTPUTF8: true, StartTLS: true}); got != want {
			t.Errorf("Extensions() = %+v, want those of the second EHLO, %+v", got, want)
		}
		var r recorder
		if err := s.Run(t.Context(), []Transaction{tx(ada)}, r.on); err != nil {
			t.Errorf("Run() = %v", err)
		}
		r.want(t, "0/-1 250", "0/0 250")
		s.Quit()
		if sni != "mx.example.net" {
			t.Errorf("SNI = %q, want mx.example.net", sni)
		}
	})
}

func TestSTARTTLSPipeliningUnderTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := &tls.Config{Certificates: []tls.Certificate{certificate(t, time.Now())}}
		s, _ := open(t, config(), func(p *peer) {
			p.hello("STARTTLS")
			p.secure(cfg)
			p.ehlo("PIPELINING")
			p.expect(mailFrom, rcpt(ada), rcpt(bob), "RSET")
			p.send("250 ok", "250 ok", "550 5.1.1 no", "250 ok")
			p.bye()
		})
		var r recorder
		if err := s.Run(t.Context(), []Transaction{tx(ada, bob)}, r.on); err != nil {
			t.Errorf("Run() = %v", err)
		}
		r.want(t, "0/-1 250", "0/0 250", "0/1 550 5.1.1")
		s.Quit()
	})
}

// Whatever the certificate says, a session under TLS beats one in clear.
func TestCertificateIsNotVerified(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tt := range []struct {
			name string
			from time.Time
			host string
		}{
			{"fits", time.Now(), "mx.example.net"},
			{"final dot", time.Now(), "mx.example.net."},
			{"no name", time.Now(), ""},
			{"another name", time.Now(), "mx.example.com"},
			{"expired", time.Now().Add(-2 * time.Hour), "mx.example.net"},
			{"not yet valid", time.Now().Add(2 * time.Hour), "mx.example.net"},
		} {
			cfg := config()
			cfg.ServerName = tt.host
			cfg.TLS = TLSRequired
			s, _ := open(t, cfg, func(p *peer) {
				p.hello("STARTTLS")
				p.secure(&tls.Config{Certificates: []tls.Certificate{certificate(t, tt.from)}})
				p.ehlo()
				p.bye()
			})
			if got := s.TLSVersion(); got != "TLS1.3" {
				t.Errorf("%s: TLSVersion() = %q, want TLS1.3", tt.name, got)
			}
			s.Quit()
		}
	})
}

func TestSTARTTLSFails(t *testing.T) {
	for _, tt := range []struct {
		name   string
		script func(p *peer)
		kind   Kind
		took   time.Duration
		is     error
	}{
		{
			name: "injected reply",
			script: func(p *peer) {
				p.send("220 2.0.0 Ready", "250-mx.example.net", "250 PIPELINING")
				p.gone()
			},
			kind: KindInjection,
		},
		{
			name:   "half an injected reply",
			script: func(p *peer) { p.raw("220 2.0.0 Ready\r\n2"); p.gone() },
			kind:   KindInjection,
		},
		{
			name: "clear text in a segment of its own",
			script: func(p *peer) {
				p.send("220 2.0.0 Ready")
				time.Sleep(time.Second)
				p.raw("250-mx.example.net\r\n250 PIPELINING\r\n")
			},
			kind: KindTLS, took: time.Second,
		},
		{
			name:   "HTTP",
			script: func(p *peer) { p.send("220 go"); time.Sleep(time.Second); p.raw("HTTP/1.1 400 Bad Request\r\n\r\n") },
			kind:   KindTLS, took: time.Second,
		},
		{
			name:   "closed",
			script: func(p *peer) { p.send("220 go"); _ = p.conn.Close() },
			kind:   KindTLS,
		},
		{
			name: "hangs",
			script: func(p *peer) {
				p.send("220 go")
				time.Sleep(time.Minute)
			},
			kind: KindTLS, took: 30 * time.Second, is: os.ErrDeadlineExceeded,
		},
		{
			name: "TLS 1.0 only",
			script: func(p *peer) {
				p.send("220 go")
				_ = tls.Server(p.conn, &tls.Config{
					Certificates: []tls.Certificate{certificate(p.t, time.Now())},
					MinVersion:   tls.VersionTLS10, MaxVersion: tls.VersionTLS10,
				}).Handshake()
			},
			kind: KindTLS,
		},
		{
			name: "no certificate",
			script: func(p *peer) {
				p.send("220 go")
				_ = tls.Server(p.conn, &tls.Config{}).Handshake()
			},
			kind: KindTLS,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				e := failOpen(t, config(), func(p *peer) {
					p.hello("STARTTLS")
					p.expect("STARTTLS")
					tt.script(p)
				})
				if e.Stage != StageSTARTTLS || e.Kind != tt.kind || e.Reply.Code != 220 {
					t.Errorf("Open() = %v, want %v at %v after 220", e, tt.kind, StageSTARTTLS)
				}
				if tt.is != nil && !errors.Is(e, tt.is) {
					t.Errorf("Open() = %v, want it to be %v", e, tt.is)
				}
				if got := time.Since(start); got != tt.took {
					t.Errorf("Open took %v, want %v", got, tt.took)
				}
			})
		})
	}
}

func TestSTARTTLSCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		_, err := Open(ctx, serve(t, func(p *peer) {
			p.hello("STARTTLS")
			p.expect("STARTTLS")
			p.send("220 go")
			time.Sleep(time.Minute)
		}), config())
		if e := asError(t, err); e.Kind != KindCanceled || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Open() = %v, want %v", err, KindCanceled)
		}
	})
}

// A server that takes its offer back is still in step: the session goes on in clear.
func TestSTARTTLSRefused(t *testing.T) {
	for _, refusal := range []string{"454 4.7.0 TLS not available", "502 5.5.1 Command not implemented"} {
		synctest.Test(t, func(t *testing.T) {
			s, _ := open(t, config(), func(p *peer) {
				p.hello("STARTTLS", "PIPELINING")
				p.expect("STARTTLS")
				p.send(refusal)
				p.expect(mailFrom, "RSET")
				p.send("250 ok", "250 ok")
				p.bye()
			})
			if last := s.Opening()[len(s.Opening())-1].Text; s.TLSVersion() != "" || last != refusal {
				t.Errorf("TLSVersion() = %q after %q, want clear text after %q", s.TLSVersion(), last, refusal)
			}
			if err := s.Run(t.Context(), []Transaction{tx()}, nil); err != nil {
				t.Errorf("Run() = %v", err)
			}
			s.Quit()
		})
	}
}

func TestTLSNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := config()
		cfg.TLS = TLSNever
		s, _ := open(t, cfg, func(p *peer) {
			p.hello("STARTTLS")
			p.bye()
		})
		s.Quit()
	})
}

// The server's log stays clean: QUIT, then close_notify, then FIN.
func TestQuitUnderTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := &tls.Config{Certificates: []tls.Certificate{certificate(t, time.Now())}}
		end := make(chan error, 1)
		s, _ := open(t, config(), func(p *peer) {
			p.hello("STARTTLS")
			p.secure(cfg)
			p.ehlo()
			p.expect("QUIT")
			p.send("221 2.0.0 Bye")
			_, err := p.in.ReadByte()
			end <- err
		})
		s.Quit()
		if err := <-end; err == nil || !strings.Contains(err.Error(), "EOF") || strings.Contains(err.Error(), "unexpected") {
			t.Errorf("the server read %v after QUIT, want a clean EOF", err)
		}
	})
}
