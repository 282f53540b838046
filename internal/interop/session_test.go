//go:build interop

package interop

import (
	"cmp"
	"regexp"
	"strings"
	"testing"
)

// A session is one of our SMTP sessions, as the server's own log has it.
type session struct {
	commands map[string]int // How often each came, by its verb in lower case, whether it was accepted or not.
	refused  int            // How many RCPT were refused, for good or for now.
	cut      bool           // The server hung up.
	log      string         // The lines it was read from.
}

// dialogues are sessions that are read from a log of commands and replies, by the server's name for each session, with
// a count for those names that are used again.
type dialogues struct {
	all  []*session
	open map[string]*session
	last map[*session]string // The last command of each.
}

// replyEnd is the last line of a refusal.
var replyEnd = regexp.MustCompile(`^[45]\d\d( |$)`)

// begin begins a new session.
func (d *dialogues) begin(key string) *session {
	s := &session{commands: make(map[string]int)}
	if d.open == nil {
		d.open, d.last = make(map[string]*session), make(map[*session]string)
	}
	d.all = append(d.all, s)
	d.open[key] = s
	return s
}

// of is the session of that name.
func (d *dialogues) of(key string) *session {
	if s := d.open[key]; s != nil {
		return s
	}
	return d.begin(key)
}

// command notes a line of the client.
func (d *dialogues) command(key, line string) {
	s := d.of(key)
	s.log += "C: " + line + "\n"
	verb, _, _ := strings.Cut(strings.ToLower(line), " ")
	s.commands[verb]++
	d.last[s] = verb
}

// reply notes a line of the server, and what it means for the command before it.
func (d *dialogues) reply(key, line string) {
	s := d.of(key)
	s.log += "S: " + line + "\n"
	s.cut = s.cut || strings.HasPrefix(line, "421")
	if d.last[s] == "rcpt" && replyEnd.MatchString(line) {
		s.refused++
	}
}

// ours are the sessions with the source's name in EHLO.
func (d *dialogues) ours() []session {
	var list []session
	for _, s := range d.all {
		if strings.Contains(s.log, "C: EHLO "+sourceName) {
			s.cut = s.cut || d.last[s] == "starttls" // The handshake failed.
			list = append(list, *s)
		}
	}
	return list
}

// ended reports whether all our sessions are over.
func (d *dialogues) ended() bool {
	for _, s := range d.ours() {
		if s.commands["quit"] == 0 && !s.cut {
			return false
		}
	}
	return true
}

// manners are what a server must have seen of us.
type manners struct {
	questions   int // Recipients asked about, made-up ones aside.
	maxRefused  int // Refused recipients in one session.
	maxSessions int // 0: fewer than recipients.
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
	if limit := cmp.Or(want.maxSessions, rcpt-1); len(sessions) > limit {
		t.Errorf("the server saw %d sessions for %d RCPT, want at most %d", len(sessions), rcpt, limit)
	}
	t.Logf("%d recipients asked about, %d RCPT in %d sessions", want.questions, rcpt, len(sessions))
}
