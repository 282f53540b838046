package soak

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/pool"
)

// A witness counts what the mail servers see, as they would.
type witness struct {
	t      *testing.T
	limits map[string]pool.Limits // In force, by host.
	begun  map[place][]time.Time  // Sessions.
	named  map[place][]time.Time  // Recipients.
	dead   map[place][]time.Time  // Refused ones that somebody had heard of, by network.
	made   map[place][]time.Time  // Refused ones that were made up, by network.
	last   map[string]visit       // The last time that anybody was named.
	tales  map[string][]visit     // All times, of those whose times are a tale of their own.
	turned map[netip.Addr][]visit // MAIL at blockHost.
	days   map[int]int            // Recipients that b named, by day.
	kills  []time.Time            // A process that was killed may have forgotten the last seconds.

	Sessions, Recipients int
}

// A place is a host, and an address or network that comes to it.
type place struct {
	host string
	from netip.Prefix
}

// A visit is a command at a time, by whom, and the reply.
type visit struct {
	at   time.Time
	from netip.Addr
	host string
	code int
}

func newWitness(t *testing.T) *witness {
	return &witness{
		t: t, limits: map[string]pool.Limits{}, begun: map[place][]time.Time{}, named: map[place][]time.Time{}, dead: map[place][]time.Time{},
		made: map[place][]time.Time{}, last: map[string]visit{}, tales: map[string][]visit{}, turned: map[netip.Addr][]visit{}, days: map[int]int{},
	}
}

// hear takes down what was said in a session, and holds the session to what a session may do.
func (w *witness) hear(s *mailworld.Session) {
	w.Sessions++
	addr := s.Source.Addr()
	at := place{s.Host, netip.PrefixFrom(addr, 32)}
	w.begun[at] = append(w.begun[at], s.At)
	network := place{s.Host, at.from}
	network.from, _ = addr.Prefix(24)
	recipients, refused := 0, 0
	for i := range s.Commands {
		c := &s.Commands[i]
		switch c.Verb {
		case "MAIL":
			recipients = 0
			if s.Host == blockHost {
				w.turned[addr] = append(w.turned[addr], visit{c.At, addr, s.Host, c.Code})
			}
		case "RCPT":
			recipients++
			if c.Code >= 400 {
				refused++
			}
			w.recipient(c, at, network)
		}
		if l, ok := w.limits[s.Host]; ok && recipients > l.RecipientsPerTransaction {
			w.t.Errorf("%s, session %d: %d recipients in a transaction", s.Host, s.ID, recipients)
		}
	}
	l, ok := w.limits[s.Host]
	if ok && s.Transactions > l.TransactionsPerSession+1 { // One tests a breaker.
		w.t.Errorf("%s, session %d: %d transactions, want at most %d", s.Host, s.ID, s.Transactions, l.TransactionsPerSession)
	}
	if ok && refused > l.RefusalsPerSession {
		w.t.Errorf("%s, session %d: %d refusals, want at most %d", s.Host, s.ID, refused, l.RefusalsPerSession)
	}
}

// recipient takes down a RCPT.
func (w *witness) recipient(c *mailworld.Command, at, network place) {
	w.Recipients++
	w.named[at] = append(w.named[at], c.At)
	if at.from.Addr() == sourceAddr(1) {
		w.days[dayOf(c.At)]++
	}
	_, path, _ := strings.Cut(c.Line, "<")
	path, _, _ = strings.Cut(path, ">")
	_, known := number(path)
	known = known || strings.HasSuffix(path, "@"+witnessDomain) && (strings.HasPrefix(path, "full@") || strings.HasPrefix(path, "disabled@"))
	v := visit{c.At, at.from.Addr(), c.Host, c.Code}
	if c.Code == 550 && known {
		w.dead[network] = append(w.dead[network], c.At)
	} else if c.Code == 550 {
		w.made[network] = append(w.made[network], c.At)
	}
	if !known {
		return
	}
	before, again := w.last[path]
	if settled := before.code == 250 || before.code == 550; again && settled && v.at.Sub(before.at) < 10*time.Minute {
		w.t.Errorf("%s was named at %v and %v after, and the first reply was %d", path, before.at, v.at.Sub(before.at), before.code)
	}
	w.last[path] = v
	if toldAlone(path) {
		w.tales[path] = append(w.tales[path], v)
	}
}

// toldAlone reports whether a recipient's visits are looked at one by one.
func toldAlone(path string) bool {
	for _, g := range greylists {
		if strings.HasSuffix(path, "@"+domainOf(g.host, 0)) {
			return true
		}
	}
	return strings.HasSuffix(path, witnessDomain) || strings.HasSuffix(path, "@"+movingDomain)
}

// dayOf is which day of the virtual ones a time is in, from 0 on.
func dayOf(t time.Time) int { return int(t.Sub(epoch) / day) }

const day = 24 * time.Hour

// epoch is when a bubble begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// judge holds what was counted to the limits, and forgets what is over.
func (w *witness) judge() {
	now := time.Now()
	for at, times := range w.begun {
		if l, ok := w.limits[at.host]; ok {
			w.within(at, "sessions", times, time.Hour, l.SessionsPerHour)
			w.apart(at, times, l.DialInterval)
		}
		w.begun[at] = recent(times, now)
	}
	for at, times := range w.named {
		if l, ok := w.limits[at.host]; ok && l.ProbesPerMinute > 0 {
			const burst = 5
			w.within(at, "recipients", times, time.Minute, int(l.ProbesPerMinute)+burst)
			w.within(at, "recipients", times, time.Hour, int(60*l.ProbesPerMinute)+burst)
		}
		w.named[at] = recent(times, now)
	}
	for at, times := range w.dead {
		if l, ok := w.limits[at.host]; ok {
			w.within(at, refusals, times, time.Hour, l.RefusalsPerHour)
		}
		w.dead[at] = recent(times, now)
	}
	for at, times := range w.made {
		if l, ok := w.limits[at.host]; ok {
			w.within(at, refusals, times, time.Hour, l.ControlsPerHour)
		}
		w.made[at] = recent(times, now)
	}
}

// recent is what of the times may still count in an hour that is not over, in a copy of its own.
func recent(times []time.Time, now time.Time) []time.Time {
	return slices.Clone(slices.DeleteFunc(times, func(t time.Time) bool { return now.Sub(t) > 2*time.Hour }))
}

// refusals are what no kill makes forgotten.
const refusals = "refusals"

// within holds the number of instants in any span of time. most 0 is any number.
func (w *witness) within(at place, what string, times []time.Time, d time.Duration, most int) {
	w.t.Helper()
	if most == 0 {
		return
	}
	slices.SortFunc(times, time.Time.Compare)
	for i := most; i < len(times); i++ {
		if times[i].Sub(times[i-most]) < d && (what == refusals || !w.forgot(times[i-most], times[i])) {
			w.t.Errorf("%s from %v: more than %d %s within %v before %v", at.host, at.from, most, what, d, times[i])
			return
		}
	}
}

// apart holds the time between sessions.
func (w *witness) apart(at place, times []time.Time, least time.Duration) {
	w.t.Helper()
	slices.SortFunc(times, time.Time.Compare)
	for i := 1; i < len(times); i++ {
		if gap := times[i].Sub(times[i-1]); gap < least && !w.forgot(times[i-1], times[i]) {
			w.t.Errorf("%s from %v: sessions %v apart at %v, want %v", at.host, at.from, gap, times[i], least)
			return
		}
	}
}

// forgot reports whether the process was killed in between, which may forget what it had done for two seconds: sessions and
// accepted recipients, but never a refusal.
func (w *witness) forgot(from, to time.Time) bool {
	return slices.ContainsFunc(w.kills, func(k time.Time) bool { return k.After(from) && !k.After(to) })
}

// gaps lists the times between the visits of one recipient.
func gaps(vs []visit) []time.Duration {
	slices.SortFunc(vs, func(a, b visit) int { return a.at.Compare(b.at) })
	var out []time.Duration
	for i := 1; i < len(vs); i++ {
		out = append(out, vs[i].at.Sub(vs[i-1].at))
	}
	return out
}

func (v visit) String() string {
	return fmt.Sprintf("%s %s %d", v.at.Format("2 Jan 15:04:05"), v.from, v.code)
}
