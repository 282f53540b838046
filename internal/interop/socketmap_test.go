//go:build interop

package interop

import (
	"fmt"
	"net"
	"net/netip"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSocketmap has a Postfix reject what verimaild knows to be dead, at RCPT, and nothing else; also when verimaild is
// about to stop.
func TestSocketmap(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	far := n.addHost("mx.postfix.test", "postfix.test")
	startPostfix(t, n, postfix{host: "mx.postfix.test", addr: far, domains: "postfix.test x\n", mailbox: "ada@postfix.test x\n"})

	near := n.addHost("submission.test")
	r := newRoot(t, postfixPackages, postfixUsers, postfixGroup)
	r.mkdir(t, "var/spool/postfix/verimaild", 0o755, 0, 0)
	path := filepath.Join(r.path("var/spool/postfix/verimaild"), "map")
	d := startDaemon(t, n, limits("")+fmt.Sprintf("socketmap: {path: %s, mode: \"0666\"}\n", path))
	runPostfix(t, n, r, postfix{
		host: "submission.test", addr: near, domains: "submission.test x\n", mailbox: "@submission.test x\n",
		main: "smtpd_recipient_restrictions = check_recipient_access socketmap:unix:/var/spool/postfix/verimaild/map:recipients, permit_mynetworks, reject_unauth_destination\n" +
			"mynetworks = 127.0.0.0/8\n",
	})
	if got := strings.TrimSpace(r.run(t, "/usr/sbin/postmap", "-q", "nobody@postfix.test", "socketmap:unix:/var/spool/postfix/verimaild/map:recipients")); !strings.HasPrefix(got, "550 5.1.1 ") {
		t.Errorf("postmap -q nobody@postfix.test = %q, want 550 5.1.1", got)
	}
	for rcpt, want := range map[string]string{
		"ada@postfix.test": "250 2.1.5", "nobody@postfix.test": "550 5.1.1", `"no body"@postfix.test`: "550 5.1.1",
		"anyone@nowhere.invalid": "550 5.1.2", "anyone@submission.test": "250 2.1.5",
	} {
		if got := rcptReply(t, near, n.source(), rcpt); !strings.HasPrefix(got, want) {
			t.Errorf("RCPT TO:<%s> is answered %q, want %s", rcpt, got, want)
		}
	}
	if t.Failed() {
		t.Log(d.logged())
	}
	_ = os.Remove(path)
}

// rcptReply is what a server says to RCPT.
func rcptReply(t *testing.T, server netip.AddrPort, from netip.Addr, rcpt string) string {
	t.Helper()
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	nc, err := dialer.DialContext(t.Context(), "tcp", server.String())
	if err != nil {
		t.Fatal(err)
	}
	conn := textproto.NewConn(nc)
	defer conn.Close()
	last := ""
	for _, line := range []string{"", "EHLO client.test", "MAIL FROM:<sender@submission.test>", "RCPT TO:<" + rcpt + ">"} {
		if line != "" {
			if err := conn.PrintfLine("%s", line); err != nil {
				t.Fatal(err)
			}
		}
		code, msg, err := conn.ReadResponse(0)
		if err != nil && code == 0 {
			t.Fatalf("%s: %v", line, err)
		}
		last = fmt.Sprint(code, " ", msg)
	}
	_ = conn.PrintfLine("QUIT")
	return last
}
