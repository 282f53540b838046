package smtp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"time"
)

// A TLSState says how a session is protected.
type TLSState struct {
	Version string // Such as "TLS1.3"; "" in clear.
	// Refused is the server's refusal of the STARTTLS that it had offered, such as 454; the session went on in
	// clear. The zero Reply otherwise.
	Refused Reply
	// Certificate says what a client that checks certificates would object to: the wrong name, the wrong time, or,
	// if TLSConfig.RootCAs is set, the wrong issuer. Nil if nothing, or in clear.
	Certificate error
}

// errNoCertificate is recorded for a handshake without a certificate.
var errNoCertificate = errors.New("smtp: no certificate")

// clientTLS is the configuration of one handshake. Certificates are not verified by the handshake: an encrypted
// session with an unknown peer beats one in clear, RFC 7435.
func clientTLS(cfg *Config) *tls.Config {
	c := &tls.Config{}
	if cfg.TLSConfig != nil {
		c = cfg.TLSConfig.Clone()
	}
	c.ServerName = strings.TrimSuffix(cfg.ServerName, ".")
	c.InsecureSkipVerify = true //nolint:gosec // G402: RFC 7435; see the comment above.
	if c.MinVersion == 0 {
		c.MinVersion = tls.VersionTLS12
	}
	return c
}

// stateOf records a finished handshake.
func stateOf(cs *tls.ConnectionState, cfg *tls.Config, now time.Time) TLSState {
	return TLSState{
		Version:     strings.ReplaceAll(tls.VersionName(cs.Version), " ", ""),
		Certificate: objection(cs.PeerCertificates, cfg, now),
	}
}

// objection is what is wrong with a chain of certificates, leaf first.
func objection(chain []*x509.Certificate, cfg *tls.Config, now time.Time) error {
	if len(chain) == 0 {
		return errNoCertificate
	}
	leaf := chain[0]
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return x509.CertificateInvalidError{Cert: leaf, Reason: x509.Expired}
	}
	if cfg.RootCAs == nil {
		if cfg.ServerName == "" {
			return nil
		}
		return leaf.VerifyHostname(cfg.ServerName)
	}
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		DNSName: cfg.ServerName, Roots: cfg.RootCAs, Intermediates: intermediates, CurrentTime: now,
	})
	return err
}
