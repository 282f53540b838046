//go:build interop

package interop

import (
	"fmt"
	"testing"
	"time"
)

// postscreenMaster puts postscreen in front of a second smtpd.
const postscreenMaster = `%s inet n - n - 1 postscreen
smtpd pass - - n - - smtpd
dnsblog unix - - n - 0 dnsblog
tlsproxy unix - - n - 0 tlsproxy
`

// postscreenMain has it test whether a client speaks too early (it waits 6 s before it greets, its default), and how it
// speaks. Whoever passes is let through from the next session on; in this one it gets "450 4.3.2 Service currently
// unavailable" for every recipient.
const postscreenMain = `postscreen_access_list = permit_mynetworks
postscreen_greet_action = enforce
postscreen_pipelining_enable = yes
postscreen_pipelining_action = enforce
postscreen_non_smtp_command_enable = yes
postscreen_bare_newline_enable = yes
postscreen_bare_newline_action = enforce
`

// TestPostscreen asks a Postfix behind postscreen, which takes us for a bot until we have shown that we are none.
func TestPostscreen(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	plain := n.addHost("plain.test")
	screen := n.addHost("mx.postscreen.test", "postscreen.test")
	r := startPostfix(t, n, postfix{
		host: "mx.postscreen.test", addr: plain, domains: "postscreen.test x\n",
		mailbox: "ada@postscreen.test x\nbob@postscreen.test x\n",
		main:    postscreenMain, master: fmt.Sprintf(postscreenMaster, screen),
	})
	d := startDaemon(t, n, "")
	began := time.Now()
	askAll(t, d, []question{ // Put off in the first session, and asked about in another at once.
		{"known, at the first visit", "ada@postscreen.test", "deliverable/mailbox_accepted/address"},
		{"unknown, at the first visit", "nobody@postscreen.test", "undeliverable/mailbox_not_found/address"},
		{"unknown, at the first visit", "nobody1@postscreen.test", "undeliverable/mailbox_not_found/address"},
	})
	if took := time.Since(began); took < 6*time.Second {
		t.Errorf("the first visit took %v, want the 6 s that postscreen waits before it greets", took)
	}
	askAll(t, d, []question{
		{"known, at the next visit", "bob@postscreen.test", "deliverable/mailbox_accepted/address"},
		{"unknown, at the next visit", "nobody2@postscreen.test", "undeliverable/mailbox_not_found/address"},
	})
	d.stop(t)
	for _, s := range postfixSessions(t, r.log, n.source()) {
		if s.commands["data"] != 0 || s.commands["quit"] != 1 {
			t.Errorf("the server saw %d DATA and %d QUIT in a session, want 0 and 1:\n%s", s.commands["data"], s.commands["quit"], s.log)
		}
	}
}
