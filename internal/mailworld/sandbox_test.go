package mailworld_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/verimails/verimaild/internal/mailworld"
)

// sandboxReplies is what the first mail host of each address says at last: the code, and a word of the text.
// 0 means that it says nothing; rows without DNS or host are in TestSandboxDNS.
func sandboxReplies() map[string]struct {
	code int
	text string
} {
	return map[string]struct {
		code int
		text string
	}{
		"deliverable@sandbox.test":             {250, "Ok"},
		"ada@sandbox.test":                     {250, "Ok"},
		"ada+news@sandbox.test":                {250, "Ok"},
		"slow+3s@sandbox.test":                 {250, "Ok"},
		"nobody@sandbox.test":                  {550, "User unknown"},
		"full@sandbox.test":                    {552, "quota"},
		"disabled@sandbox.test":                {550, "disabled"},
		"moved@sandbox.test":                   {551, "moved@elsewhere.test"},
		"busy@sandbox.test":                    {450, "receiving mail too quickly"},
		"greylisted@sandbox.test":              {450, "300 seconds"},
		"greylisted+10s@sandbox.test":          {450, "10 seconds"},
		"refused@sandbox.test":                 {550, "5.7.133"},
		"restricted@sandbox.test":              {550, "members"},
		"tempfail@sandbox.test":                {451, "lookup"},
		"persistent@sandbox.test":              {450, "User unknown"},
		"cannotverify@sandbox.test":            {252, "Cannot verify"},
		"cannot-verify@sandbox.test":           {252, "Cannot verify"},
		"info@sandbox.test":                    {250, "Ok"},
		"jürgen@sandbox.test":                  {250, "Ok"},
		"kqjxw7m2p9@sandbox.test":              {550, "User unknown"},
		"anyone@implicit.sandbox.test":         {250, "Ok"},
		"anyone@unverifiable.sandbox.test":     {250, "ok"},
		"anyone@suppressed.sandbox.test":       {250, "ok"},
		"anyone@blocked.sandbox.test":          {554, "poor reputation"},
		"anyone@rcptblocked.sandbox.test":      {554, "zen.dnsbl.test"},
		"anyone@noptr.sandbox.test":            {450, "reverse hostname"},
		"anyone@ratelimited.sandbox.test":      {450, "rate limit"},
		"anyone@harvest.sandbox.test":          {550, "harvest"},
		"anyone@acceptsuspect.sandbox.test":    {550, "User unknown"},
		"anyone@senderrefused.sandbox.test":    {550, "Domain not found"},
		"anyone@helorefused.sandbox.test":      {550, "Helo"},
		"anyone@greylist.sandbox.test":         {450, "Greylisted"},
		"anyone@tempfail.sandbox.test":         {451, "lookup"},
		"anyone@busy.sandbox.test":             {421, "busy"},
		"anyone@relaydenied.sandbox.test":      {554, "Relay access denied"},
		"anyone@nomail.sandbox.test":           {556, "does not accept"},
		"anyone@timeout.sandbox.test":          {0, ""},
		"anyone@refused.sandbox.test":          {0, ""},
		"anyone@tlsrequired.sandbox.test":      {530, "STARTTLS"},
		"anyone@tlsfailure.sandbox.test":       {530, "STARTTLS"},
		"anyone@protocol.sandbox.test":         {0, ""},
		"anyone@disconnected.sandbox.test":     {0, ""},
		"anyone@sessionlimited.sandbox.test":   {421, "too many errors"},
		"anyone@uniform.sandbox.test":          {550, "Access denied"},
		"postmaster@uniform.sandbox.test":      {550, "Access denied"},
		"anyone@catchall.sandbox.test":         {250, "Ok"},
		"kqjxw7m2p9@catchall.sandbox.test":     {250, "Ok"},
		"jürgen@noutf8.sandbox.test":           {553, "SMTPUTF8"},
		"jürgen@utf8.sandbox.test":             {250, "Ok"},
		"anyone@starttls.sandbox.test":         {530, "STARTTLS"},
		"anyone@tlsbroken.sandbox.test":        {250, "Ok"},
		"anyone@twomx.sandbox.test":            {0, ""},
		"anyone@oneatatime.sandbox.test":       {250, "Ok"},
		"anyone@nopipelining.sandbox.test":     {250, "Ok"},
		"anyone@heloonly.sandbox.test":         {502, "not recognized"},
		"anyone@slowgreeting.sandbox.test":     {250, "Ok"},
		"anyone@tarpit.sandbox.test":           {250, "Recipient OK"},
		"kqjxw7m2p9@oneatatime.sandbox.test":   {550, "User unknown"},
		"kqjxw7m2p9@nopipelining.sandbox.test": {550, "User unknown"},
		"kqjxw7m2p9@tarpit.sandbox.test":       {550, "RecipientNotFound"},
		"probe@egress.test":                    {250, "Ok"},
	}
}

// askSandbox goes through a dialogue in clear, and returns the first refusal or the reply to RCPT.
func askSandbox(t *testing.T, w *mailworld.World, address string) (code int, text string) {
	t.Helper()
	mx := sandboxMX(t, w, address)
	at := resolveA(t, w, mx)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c, err := w.Dial(ctx, netip.AddrPort{}, netip.AddrPortFrom(at, uint16(w.Port())))
	if err != nil {
		return 0, err.Error()
	}
	p := newPeer(t, c)
	defer p.shut()
	lines := []string{"", "EHLO client.egress.test", "MAIL FROM:<probe@egress.test>", "RCPT TO:<" + address + ">"}
	for _, line := range lines {
		if line != "" {
			p.send(line)
		}
		code, text, err = p.ReadResponse(0)
		if err != nil {
			return 0, err.Error()
		}
		if code >= 400 {
			break
		}
		if strings.HasPrefix(line, "EHLO") && strings.Contains(text, "SMTPUTF8") {
			lines[2] += " SMTPUTF8"
		}
	}
	if code != 421 {
		p.send("QUIT")
		p.want(221)
	}
	return code, text
}

func TestSandboxReplies(t *testing.T) {
	for address, want := range sandboxReplies() {
		t.Run(address, func(t *testing.T) {
			inMemory(t, mailworld.Sandbox(), func(t *testing.T, w *mailworld.World) {
				code, text := askSandbox(t, w, address)
				if code != want.code || !strings.Contains(text, want.text) {
					t.Errorf("%s: got %d %q, want %d %q", address, code, text, want.code, want.text)
				}
			})
		})
	}
}

func TestSandboxDNS(t *testing.T) {
	w := start(t, mailworld.Sandbox())
	tests := []struct {
		name  string
		rcode int
		want  []string
	}{
		{"nullmx.sandbox.test", dns.RcodeSuccess, []string{"0 ."}},
		{"nomailhost.sandbox.test", dns.RcodeSuccess, nil},
		{"notfound.sandbox.test", dns.RcodeNameError, nil},
		{"unroutable.sandbox.test", dns.RcodeSuccess, []string{"10 mx.unroutable.sandbox.test."}},
		{"dnsfailure.sandbox.test", dns.RcodeServerFailure, nil},
		{"twomx.sandbox.test", dns.RcodeSuccess, []string{"10 mx.twomx.sandbox.test.", "20 mx2.twomx.sandbox.test."}},
		{"catchall.sandbox.test", dns.RcodeSuccess, []string{"10 mx.catchall.sandbox.test."}},
	}
	for _, tt := range tests {
		m := ask(t, w, tt.name, dns.TypeMX)
		if m.Rcode != tt.rcode || !slices.Equal(answers(m), tt.want) {
			t.Errorf("MX of %s = %s %q, want %s %q", tt.name, dns.RcodeToString[m.Rcode], answers(m), dns.RcodeToString[tt.rcode], tt.want)
		}
	}
	if a := resolveA(t, w, "mx.unroutable.sandbox.test"); !a.IsPrivate() {
		t.Errorf("unroutable leads to %v, want a private address", a)
	}
	inMemory(t, mailworld.Sandbox(), func(t *testing.T, w *mailworld.World) {
		if m, err := query(t, w, "udp", "dnstimeout.sandbox.test", dns.TypeMX); err == nil {
			t.Errorf("dnstimeout: %v, want no answer", m)
		}
	})
}

// TestSandboxNames holds the table to the world: each row is tested above, and each reason that a peer can cause has a row.
func TestSandboxNames(t *testing.T) {
	tested := sandboxReplies()
	byDNS := []string{"nullmx", "nomailhost", "notfound", "unroutable", "dnsfailure", "dnstimeout"}
	reasons := make(map[string]bool)
	seen := make(map[string]bool)
	for _, n := range mailworld.SandboxNames() {
		if seen[n.Address] || n.Meaning == "" || n.Reason == "" {
			t.Errorf("row %+v is a duplicate or incomplete", n)
		}
		seen[n.Address] = true
		reasons[n.Reason], reasons[n.Later] = true, true
		_, domain, _ := strings.Cut(n.Address, "@")
		label, _, _ := strings.Cut(domain, ".")
		if _, ok := tested[n.Address]; !ok && !slices.Contains(byDNS, label) {
			t.Errorf("%s is in no test", n.Address)
		}
	}
	for _, r := range []string{
		"mailbox_accepted", "mailbox_busy", "accepted_catch_all", "accepted_untested", "mailbox_full", "role_address",
		"mailbox_not_found", "mailbox_disabled", "mailbox_moved", "recipient_refused", "smtputf8_unsupported",
		"domain_not_found", "no_mail_host", "null_mx", "mx_unroutable", "greylisted", "persistent_tempfail",
		"provider_unverifiable", "uniform_refusal", "dns_timeout", "dns_failure", "server_tempfail", "server_busy",
		"relay_denied", "connect_timeout", "connect_refused", "tls_failure", "tls_required", "protocol_error",
		"disconnected", "source_blocked", "source_no_ptr", "source_rate_limited", "harvest_limited", "accept_suspect",
		"sender_refused", "helo_refused", "session_limited",
	} {
		if !reasons[r] {
			t.Errorf("no sandbox name leads to %s", r)
		}
	}
}
