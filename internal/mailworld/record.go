package mailworld

import (
	"maps"
	"net/netip"
	"sync"
	"time"
)

// A record is what a world remembers.
type record struct {
	mu         sync.Mutex
	sessions   []*sessionRecord
	opened     int
	domains    map[string]int
	violations []string
	dropped    int // Violations beyond maxViolations.
	queries    []Query
	queried    int
	greylist   map[greyKey]time.Time
	countOnly  bool
	commands   map[string]int // By verb, in the whole world.
}

// maxVerbs bounds the verbs that are counted by name.
const maxVerbs = 100

// maxViolations bounds the list: one is reason enough to fail.
const maxViolations = 1000

func newRecord(countOnly bool) *record {
	return &record{
		countOnly: countOnly, domains: make(map[string]int), commands: make(map[string]int),
		greylist: make(map[greyKey]time.Time),
	}
}

// open begins the record of a session.
func (r *record) open(host string, source netip.AddrPort, at time.Time) *sessionRecord {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.opened++
	s := &sessionRecord{s: Session{ID: r.opened, Host: host, Source: source, At: at}}
	if !r.countOnly {
		r.sessions = append(r.sessions, s)
	}
	return s
}

// tally counts a command. A client may invent verbs, so only so many are told apart.
func (r *record) tally(verb string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.commands[verb]; !ok && len(r.commands) >= maxVerbs {
		verb = ""
	}
	r.commands[verb]++
}

// tallyDomain counts a recipient.
func (r *record) tallyDomain(domain string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.domains[domain]++
}

// snapshot copies the sessions at a host, all if host is empty.
func (r *record) snapshot(host string) []Session {
	r.mu.Lock()
	list := r.sessions[:len(r.sessions):len(r.sessions)]
	r.mu.Unlock()
	var out []Session
	for _, s := range list {
		if host != "" && s.s.Host != host { // Host never changes, so it needs no lock.
			continue
		}
		s.mu.Lock()
		c := s.s
		c.Commands = c.Commands[:len(c.Commands):len(c.Commands)]
		s.mu.Unlock()
		out = append(out, c)
	}
	return out
}

// Sessions returns the sessions at the host of this name, in the order in which they began; of all hosts if it is "".
// With Spec.CountersOnly there are none.
func (w *World) Sessions(host string) []Session { return w.rec.snapshot(canonical(host)) }

// Commands returns what was said to a host, session by session; to all hosts if host is "".
func (w *World) Commands(host string) []Command {
	var out []Command
	for _, s := range w.Sessions(host) {
		out = append(out, s.Commands...)
	}
	return out
}

// Recipients returns the forward-paths of all RCPT commands at a host that could be read, session by session;
// at all hosts if host is "".
func (w *World) Recipients(host string) []string {
	var out []string
	for _, c := range w.Commands(host) {
		if c.Verb != "RCPT" {
			continue
		}
		if p, _, err := parsePath(parseCommand(c.Line).arg, "TO"); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// Count returns how many RCPT commands named a recipient of this domain, at any host.
func (w *World) Count(domain string) int {
	w.rec.mu.Lock()
	defer w.rec.mu.Unlock()
	return w.rec.domains[canonical(domain)]
}

// Counts are totals of a world.
type Counts struct {
	Sessions int            // Begun so far.
	Open     int            // Of these, not ended.
	Queries  int            // DNS queries.
	Commands map[string]int // By verb.
}

// Counts returns the totals.
func (w *World) Counts() Counts {
	w.mu.Lock()
	open := w.sessions
	w.mu.Unlock()
	w.rec.mu.Lock()
	defer w.rec.mu.Unlock()
	c := Counts{Open: open, Sessions: w.rec.opened, Queries: w.rec.queried, Commands: make(map[string]int, len(w.rec.commands))}
	maps.Copy(c.Commands, w.rec.commands)
	return c
}
