package mailworld

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"sync"
	"time"
)

// certificates makes the self-signed certificates of a world's hosts, each when it is first needed.
type certificates struct {
	mu    sync.Mutex
	key   *ecdsa.PrivateKey
	byTag map[string]*tls.Certificate
}

// of returns the certificate of a host.
func (c *certificates) of(host string, expired bool) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	tag := fmt.Sprintf("%s %t", host, expired)
	if cert := c.byTag[tag]; cert != nil {
		return cert, nil
	}
	if c.key == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("mailworld: key: %w", err)
		}
		c.key = key
		c.byTag = make(map[string]*tls.Certificate)
	}
	cert, err := selfSigned(c.key, host, expired)
	if err != nil {
		return nil, fmt.Errorf("mailworld: certificate of %s: %w", host, err)
	}
	c.byTag[tag] = cert
	return cert, nil
}

func selfSigned(key *ecdsa.PrivateKey, host string, expired bool) (*tls.Certificate, error) {
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host},
		NotBefore:    now.AddDate(-1, 0, 0),
		NotAfter:     now.AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if expired {
		t.NotAfter = now.AddDate(0, -1, 0)
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// tlsConfig is what a host answers a handshake with.
func (w *World) tlsConfig(b *behaviour) *tls.Config {
	c := &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return w.certs.of(b.Name, b.TLS.Mode == TLSExpired)
		},
	}
	if b.TLS.Mode == TLSOld {
		c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS10 //nolint:gosec // G402: an old server, as told.
	}
	return c
}
