package chaos

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify/verdict"
)

// A state is what is true of an address, as far as its mail servers would say so.
type state uint8

const (
	living     state = iota
	dead             // There is no such mailbox.
	full             // It has no room.
	disabled         // It takes no mail.
	anyone           // Everybody is accepted.
	turned           // Everybody is accepted, where made-up recipients were refused until a moment ago.
	unknowable       // Its servers say nothing about it.
	undenied         // Its servers say of everybody that there is no such mailbox.
	noDomain
	noHost
	takesNone // Null MX.
	private
	malformed
)

// allowed are the reasons that an answer may have in a state, beside those whose verdict is unknown.
func (s state) allowed() []verdict.Reason {
	switch s {
	case living:
		return []verdict.Reason{verdict.MailboxAccepted, verdict.AcceptedUntested}
	case dead, undenied:
		return []verdict.Reason{verdict.MailboxNotFound}
	case full:
		return []verdict.Reason{verdict.MailboxFull}
	case disabled:
		return []verdict.Reason{verdict.MailboxDisabled}
	case anyone:
		return []verdict.Reason{verdict.AcceptedCatchAll, verdict.AcceptedUntested}
	case turned: // That made-up recipients are refused is known for some days.
		return []verdict.Reason{verdict.AcceptedCatchAll, verdict.AcceptedUntested, verdict.MailboxAccepted}
	case noDomain:
		return []verdict.Reason{verdict.DomainNotFound}
	case noHost:
		return []verdict.Reason{verdict.NoMailHost}
	case takesNone:
		return []verdict.Reason{verdict.NullMX}
	case private:
		return []verdict.Reason{verdict.MXUnroutable}
	case malformed:
		return []verdict.Reason{verdict.InvalidSyntax}
	default:
		return nil
	}
}

const (
	// slack is how much older than its evidence what an answer rests on may be: a transaction that was under way.
	slack = 5 * time.Second

	// rowSlack is how much older than the time of a row its evidence may be: a control may take its time.
	rowSlack = 30 * time.Second
)

// An era is the time from which on something is so. What was so before it may be seen until it is over for sure.
type era struct {
	state      state
	from, sure time.Time
}

// The truth is what is so in the world, by time. Safe for concurrent use.
type truth struct {
	plan    *plan
	began   time.Time
	domains map[string]*domainPlan

	mu      sync.Mutex     // Guards what follows.
	changed map[string]era // Of domains whose change has been made, but for its state.
}

func newTruth(p *plan) *truth {
	tr := &truth{plan: p, domains: make(map[string]*domainPlan), changed: make(map[string]era)}
	for i := range p.domains {
		tr.domains[p.domains[i].name] = &p.domains[i]
	}
	return tr
}

// begin sets the moment that the plan's times count from. Until then nothing has changed.
func (tr *truth) begin() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.began = time.Now()
}

// change makes a domain's change, by f, and notes when that was.
func (tr *truth) change(domain string, f func()) {
	from := time.Now()
	f()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.changed[domain] = era{from: from, sure: time.Now()}
}

// eras are what was and is so of an address, oldest first.
func (tr *truth) eras(email string) []era {
	local, name, ok := strings.Cut(email, "@")
	d := tr.domains[name]
	if !ok || d == nil || local == "" {
		return []era{{state: malformed}}
	}
	tr.mu.Lock()
	began := tr.began
	change, changed := tr.changed[name]
	tr.mu.Unlock()
	out := []era{{state: d.stateOf(local)}}
	if d.kind == ordinary || d.kind == opens || d.kind == vanishes || d.kind == closes {
		if next, turns := turnsInto(local); turns && !began.IsZero() {
			at := began.Add(d.changes)
			out = append(out, era{next, at, at})
		}
	}
	if after, turns := d.kind.turnsInto(); turns && changed {
		change.state = after
		out = append(out, change)
	}
	return out
}

// ofDNS reports whether it is the DNS that says so. A question that waits for a session goes by what the DNS said when it
// was asked, however long ago that was.
func (s state) ofDNS() bool { return s == noDomain || s == takesNone }

// said is what a mail server says of an address at a moment: what the DNS says of its domain by then is nothing to it.
func (tr *truth) said(email string, at time.Time) state {
	list := tr.eras(email)
	s := list[0].state
	for _, e := range list[1:] {
		if !at.Before(e.from) && !e.state.ofDNS() {
			s = e.state
		}
	}
	return s
}

// stateOf is what is so of a mailbox at the beginning.
func (d *domainPlan) stateOf(local string) state {
	switch d.kind {
	case catchAll:
		return anyone
	case lied:
		return unknowable
	case uniform:
		return undenied
	case nullMX:
		return takesNone
	case noMail:
		return noHost
	case missing:
		return noDomain
	case unroutable:
		return private
	}
	switch strings.TrimRight(local, "0123456789") {
	case "live", "dies":
		return living
	case "full":
		return full
	case "shut":
		return disabled
	default:
		return dead
	}
}

// turnsInto is what becomes of a mailbox, if anything does.
func turnsInto(local string) (state, bool) {
	switch strings.TrimRight(local, "0123456789") {
	case "dies":
		return dead, true
	case "born":
		return living, true
	default:
		return 0, false
	}
}

// turnsInto is what becomes of all mailboxes of a domain, if anything does.
func (k domainKind) turnsInto() (state, bool) {
	switch k {
	case opens:
		return turned, true
	case vanishes:
		return noDomain, true
	case closes:
		return takesNone, true
	default:
		return 0, false
	}
}

// judge says what is wrong with an answer of which the oldest evidence is of that moment; "" if nothing is.
func (tr *truth) judge(email, reason string, evidence time.Time) string {
	got, err := verdict.ParseReason(reason)
	switch {
	case err != nil:
		return fmt.Sprintf("%s: %v", email, err)
	case got.Verdict() == verdict.Unknown:
		return ""
	}
	list := tr.eras(email)
	for i, e := range list {
		over := i+1 < len(list) && !list[i+1].state.ofDNS() && list[i+1].sure.Before(evidence.Add(-slack))
		if !over && !e.from.After(time.Now()) && slices.Contains(e.state.allowed(), got) {
			return ""
		}
	}
	return fmt.Sprintf("%s is %s/%s by evidence of %s, and the truth is %+v", email, got.Verdict(), got, evidence.Format(time.StampMilli), list)
}

// oldest is the moment of the oldest evidence that an answer shows.
func oldest(a *apitype.Answer) time.Time {
	at := a.CheckedAt
	for _, e := range a.Evidence {
		if !e.At.IsZero() && e.At.Before(at) {
			at = e.At
		}
	}
	return at
}
