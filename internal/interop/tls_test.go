//go:build interop

package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// selfSigned makes a certificate for a host, and its key, in one PEM file: what most mail servers have.
func selfSigned(t testing.TB, host string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(24 * time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
}

// tlsServers are three services of one Postfix: STARTTLS offered, required, and offered without the key for it.
const tlsServers = `%[1]s inet n - n - - smtpd
  -o syslog_name=postfix/strict -o smtpd_tls_security_level=encrypt
%[2]s inet n - n - - smtpd
  -o syslog_name=postfix/keyless -o smtpd_tls_chain_files=/etc/postfix/nowhere.pem
`

// TestPostfixTLS asks a Postfix that offers STARTTLS, one that insists on it, and one where it does not work, under each
// of egress.tls.
func TestPostfixTLS(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	offered := n.addHost("offered.test", "offered.tls.test")
	required := n.addHost("required.test", "required.tls.test")
	broken := n.addHost("broken.test", "broken.tls.test")
	r := startPostfix(t, n, postfix{
		host: "offered.test", addr: offered,
		domains: "offered.tls.test x\nrequired.tls.test x\nbroken.tls.test x\n",
		mailbox: "ada@offered.tls.test x\nada@required.tls.test x\nada@broken.tls.test x\n",
		files:   map[string]string{"etc/postfix/cert.pem": selfSigned(t, "offered.test")},
		main:    "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = /etc/postfix/cert.pem\n",
		master:  fmt.Sprintf(tlsServers, required, broken),
	})
	const accepted = "deliverable/mailbox_accepted/address"
	for _, tt := range []struct {
		policy string
		want   map[string]string // By the first label of the domain.
		tls    map[string]string
	}{
		{
			"opportunistic",
			map[string]string{"offered": accepted, "required": accepted, "broken": accepted},
			map[string]string{"offered": "TLS1.3", "required": "TLS1.3"},
		},
		{
			"never",
			map[string]string{"offered": accepted, "required": "unknown/tls_required/mx", "broken": accepted},
			nil,
		},
		{
			"required",
			map[string]string{"offered": accepted, "required": accepted, "broken": "unknown/tls_failure/mx"},
			map[string]string{"offered": "TLS1.3", "required": "TLS1.3"},
		},
	} {
		t.Run(tt.policy, func(t *testing.T) {
			d := startDaemon(t, n, "  tls: "+tt.policy+"\n")
			hosts := []string{"offered", "required", "broken"}
			var questions []question
			for _, host := range hosts {
				questions = append(questions, question{"STARTTLS " + host, "ada@" + host + ".tls.test", tt.want[host]})
			}
			answers := askAll(t, d, questions)
			for i, host := range hosts {
				for _, e := range answers[i].Evidence {
					if e.TLS != tt.tls[host] && answers[i].Verdict == apitype.Deliverable {
						t.Errorf("STARTTLS %s: evidence[].tls = %q, want %q", host, e.TLS, tt.tls[host])
					}
				}
			}
			d.stop(t)
		})
	}
	failed := 0
	for _, s := range postfixSessions(t, r.log, n.source()) {
		if s.commands["data"] != 0 || s.commands["quit"] != 1 && !s.cut {
			t.Errorf("the server saw %d DATA and %d QUIT in a session, want 0 and 1:\n%s", s.commands["data"], s.commands["quit"], s.log)
		}
		if strings.Contains(s.log, "starttls=0/1") {
			failed++
		}
	}
	if failed != 2 {
		t.Errorf("STARTTLS failed in %d sessions, want 2: one of the policy opportunistic, one of required", failed)
	}
}
