package chaos

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
)

// checkManners holds what the servers saw against what the daemon may do.
func (w *world) checkManners(t *testing.T) {
	t.Helper()
	for _, err := range w.failed {
		t.Error(err)
	}
	w.Check(t)
	sessions := w.Sessions("")
	for _, v := range w.Violations() {
		for i := range sessions {
			if s := &sessions[i]; strings.HasPrefix(v, fmt.Sprintf("%s: session %d ", s.Host, s.ID)) {
				t.Log(story(s))
			}
		}
	}
	for i := range sessions {
		checkSession(t, &sessions[i])
	}
	w.checkAtOnce(t, sessions)
	w.checkRefusals(t, sessions)
}

// story is what a session was like to its server.
func story(s *mailworld.Session) string {
	var b strings.Builder
	fmt.Fprintf(&b, "session %d at %s from %v, %s, TLS %v, odd %v:", s.ID, s.Host, s.Source, s.At.Format(clock), s.TLS, s.Odd)
	for _, c := range s.Commands {
		fmt.Fprintf(&b, "\n\t%s %s -> %d %s", c.At.Format(clock), c.Line, c.Code, c.Reply)
	}
	fmt.Fprintf(&b, "\n\t%s over", s.Ended.Format(clock))
	return b.String()
}

// tell logs the sessions in which somebody asked about a recipient.
func (w *world) tell(t *testing.T, email string) {
	t.Helper()
	sessions := w.Sessions("")
	for i := range sessions {
		if slices.ContainsFunc(sessions[i].Commands, func(c mailworld.Command) bool { return strings.Contains(c.Line, "<"+email+">") }) {
			t.Log(story(&sessions[i]))
		}
	}
}

// clock is how moments of a run are written.
const clock = "15:04:05.000"

// checkSession holds one session to the limits of a session.
func checkSession(t *testing.T, s *mailworld.Session) {
	t.Helper()
	recipients, refused := 0, 0
	for _, c := range s.Commands {
		switch c.Verb {
		case "MAIL":
			recipients = 0
		case "RCPT":
			if recipients++; c.Code >= 400 {
				refused++
			}
			if recipients > recipientsEach {
				t.Errorf("session %d at %s: %d recipients in a transaction, want at most %d", s.ID, s.Host, recipients, recipientsEach)
			}
		}
	}
	if s.Transactions > transactionsEach {
		t.Errorf("session %d at %s: %d transactions, want at most %d", s.ID, s.Host, s.Transactions, transactionsEach)
	}
	if refused > refusalsEach {
		t.Errorf("session %d at %s: %d refusals, want at most %d", s.ID, s.Host, refused, refusalsEach)
	}
}

// late is how much later than the client a server may think that a session has ended.
const late = 3 * time.Second

// checkAtOnce holds the sessions of one source at the hosts of each climate but the strange ones to their number. A host
// is counted with all sites that it belongs to: its own, and those of domains with two hosts.
func (w *world) checkAtOnce(t *testing.T, sessions []mailworld.Session) {
	t.Helper()
	sites := make(map[string]int)
	for _, d := range w.plan.domains {
		if len(d.hosts) == 2 {
			for _, h := range d.hosts {
				sites[w.plan.hosts[h].name]++
			}
		}
	}
	type path struct {
		host   string
		source netip.Addr
	}
	ends := make(map[path][]time.Time)
	for i := range sessions {
		s := &sessions[i]
		p := path{s.Host, s.Source.Addr()}
		open := slices.DeleteFunc(ends[p], func(end time.Time) bool { return end.Before(s.At.Add(late)) })
		if len(open)+1 > sessionsAtOnce*(1+sites[s.Host]) {
			t.Errorf("%s has %d sessions from %s at %v, want at most %d", s.Host, len(open)+1, s.Source.Addr(), s.At, sessionsAtOnce)
		}
		ends[p] = append(open, endOf(s))
	}
}

// endOf is when the client can have been done with a session: with the last command at the latest.
func endOf(s *mailworld.Session) time.Time {
	if n := len(s.Commands); n > 0 {
		return s.Commands[n-1].At
	}
	return s.At
}

// checkRefusals holds the hosts with small budgets to them, by the network of the sources. What was refused in a session
// that broke off may never have been heard of, and is not counted; a mailbox that is full (552) is not dead.
func (w *world) checkRefusals(t *testing.T, sessions []mailworld.Session) {
	t.Helper()
	type path struct {
		host    string
		network netip.Prefix
	}
	refused := make(map[path]int)
	for i := range sessions {
		s := &sessions[i]
		if !strings.HasSuffix(s.Host, ".tight.test") || s.Odd {
			continue
		}
		network, _ := s.Source.Addr().Prefix(24) // In range.
		for _, c := range s.Commands {
			if c.Verb == "RCPT" && c.Code == 550 {
				refused[path{s.Host, network}]++
			}
		}
	}
	for p, n := range refused {
		if n > tightRefusals+tightControls {
			t.Errorf("%s refused %d recipients from %s, want at most %d and %d controls", p.host, n, p.network, tightRefusals, tightControls)
		}
	}
	t.Logf("%d hosts and networks with a budget of %d and %d controls have refused %v", len(refused), tightRefusals, tightControls, slices.Sorted(maps.Values(refused)))
}
