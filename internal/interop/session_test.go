//go:build interop

package interop

import (
	"testing"
)

// A session is one of our SMTP sessions, as the server's own log has it.
type session struct {
	commands map[string]int // How often each came, by its verb in lower case, whether it was accepted or not.
	refused  int            // How many RCPT were refused, for good or for now.
	cut      bool           // The server hung up.
	log      string         // The lines it was read from.
}

// manners are what a server must have seen of us.
type manners struct {
	questions  int // Recipients asked about, made-up ones aside.
	maxRefused int // Refused recipients in one session.
}

// checkManners holds sessions to what verimaild promises every server: no message, a QUIT at the end, few refusals in
// a session, and sessions that are shared.
func checkManners(t *testing.T, sessions []session, want manners) {
	t.Helper()
	rcpt, shared := 0, 0
	for _, s := range sessions {
		for _, verb := range []string{"data", "bdat", "vrfy", "expn", "noop", "unknown"} {
			if n := s.commands[verb]; n != 0 {
				t.Errorf("the server saw %d %s commands, want none:\n%s", n, verb, s.log)
			}
		}
		if got := s.commands["quit"]; got != 1 && !s.cut {
			t.Errorf("the server saw %d QUIT in a session, want 1:\n%s", got, s.log)
		}
		if s.refused > want.maxRefused {
			t.Errorf("the server refused %d recipients in one session, want at most %d:\n%s", s.refused, want.maxRefused, s.log)
		}
		rcpt += s.commands["rcpt"]
		if s.commands["rcpt"] > 1 {
			shared++
		}
	}
	if rcpt < want.questions {
		t.Errorf("the server saw %d RCPT, want at least %d", rcpt, want.questions)
	}
	if shared == 0 {
		t.Errorf("none of %d sessions carried more than one RCPT", len(sessions))
	}
	if len(sessions) >= rcpt {
		t.Errorf("the server saw %d sessions for %d RCPT, want fewer", len(sessions), rcpt)
	}
	t.Logf("%d recipients asked about, %d RCPT in %d sessions", want.questions, rcpt, len(sessions))
}
