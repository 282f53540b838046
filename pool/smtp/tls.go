package smtp

import (
	"crypto/tls"
	"strings"
)

// clientTLS is the configuration of one handshake with a host of this name. Certificates are not verified: an encrypted
// session with an unknown peer beats one in clear, RFC 7435.
func clientTLS(serverName string) *tls.Config {
	return &tls.Config{
		ServerName:         strings.TrimSuffix(serverName, "."),
		InsecureSkipVerify: true, //nolint:gosec // G402: RFC 7435; see the comment above.
		MinVersion:         tls.VersionTLS12,
	}
}

// versionName is the version of TLS as evidence has it, such as "TLS1.3".
func versionName(version uint16) string { return strings.ReplaceAll(tls.VersionName(version), " ", "") }
