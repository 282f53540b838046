package smtp

import (
	"strconv"
	"strings"
)

// Extensions are what the server offered in its last EHLO reply. The zero value is a server that offers nothing, or
// knows only HELO.
type Extensions struct {
	Pipelining          bool // RFC 2920
	SMTPUTF8            bool // RFC 6531
	EnhancedStatusCodes bool // RFC 2034
	StartTLS            bool // RFC 3207
	Limits              Limits
}

// Limits are the bounds that a server announced by the LIMITS extension, RFC 9422. Zero means not announced.
type Limits struct {
	RcptMax       int // Recipients in one transaction.
	MailMax       int // Transactions in one session.
	RcptDomainMax int // Domains of recipients in one session.
}

// parseExtensions reads the lines of a 250 reply to EHLO. The first names the server; each of the others is a
// keyword, which has no case (RFC 5321 §4.1.1.1), and its parameters.
func parseExtensions(lines []string) Extensions {
	var e Extensions
	for _, line := range lines[1:] {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		switch strings.ToUpper(words[0]) {
		case "PIPELINING":
			e.Pipelining = true
		case "SMTPUTF8":
			e.SMTPUTF8 = true
		case "ENHANCEDSTATUSCODES":
			e.EnhancedStatusCodes = true
		case "STARTTLS":
			e.StartTLS = true
		case "LIMITS":
			e.Limits = parseLimits(words[1:])
		}
	}
	return e
}

// parseLimits reads name=value pairs. What is unknown or malformed is passed over, RFC 9422 §4.
func parseLimits(words []string) Limits {
	var l Limits
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 || n > 999_999 {
			continue
		}
		switch strings.ToUpper(name) {
		case "RCPTMAX":
			l.RcptMax = n
		case "MAILMAX":
			l.MailMax = n
		case "RCPTDOMAINMAX":
			l.RcptDomainMax = n
		}
	}
	return l
}
