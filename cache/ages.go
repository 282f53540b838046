package cache

import (
	"fmt"
	"time"

	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// An Age says for how long a record answers. Past Soft it is to be asked about again, at Hard it is gone.
type Age struct{ Soft, Hard time.Duration }

// Ages say for how long each kind of record answers.
type Ages struct {
	Accepted Age // A mailbox that accepted, or exists for another reason.
	Untested Age // A mailbox that accepted where nothing is known about made-up ones.
	NotFound Age // A mailbox that does not exist, has moved, or takes no mail from us.
	Disabled Age // A mailbox that is switched off.
	Full     Age // A mailbox over its quota.

	AcceptsAll    Age // A domain that accepts made-up recipients, and its mailboxes' acceptances.
	RefusesMadeUp Age // A domain that refuses them.
	RefusesAll    Age // A domain that refuses every recipient.

	Hosts HostAges // A domain's mail hosts.
}

// HostAges bound what the DNS says about the age of a domain's mail hosts.
type HostAges struct {
	Min, Max time.Duration // Of the time that they hold by their TTL.
	Hard     time.Duration // For how long they are used when the DNS fails.
	Negative time.Duration // The most time that "there is no such domain" and its like hold.
	Failure  time.Duration // For how long a failure holds, and for how long the DNS is left alone after one.
}

// DefaultAges are the ages of a daemon that is not told otherwise.
func DefaultAges() Ages {
	const day = 24 * time.Hour
	return Ages{
		Accepted:      Age{7 * day, 30 * day},
		Untested:      Age{time.Hour, day},
		NotFound:      Age{12 * time.Hour, 3 * day},
		Disabled:      Age{day, 7 * day},
		Full:          Age{6 * time.Hour, day},
		AcceptsAll:    Age{day, 7 * day},
		RefusesMadeUp: Age{3 * day, 14 * day},
		RefusesAll:    Age{6 * time.Hour, day},
		Hosts:         HostAges{Min: 5 * time.Minute, Max: 6 * time.Hour, Hard: day, Negative: time.Hour, Failure: 2 * time.Minute},
	}
}

// longestAge bounds every age, so that the time of a contradiction need not be kept for ever.
const longestAge = 366 * 24 * time.Hour

func (a *Ages) check() error {
	for _, x := range []struct {
		name string
		age  Age
	}{
		{"Accepted", a.Accepted},
		{"Untested", a.Untested},
		{"NotFound", a.NotFound},
		{"Disabled", a.Disabled},
		{"Full", a.Full},
		{"AcceptsAll", a.AcceptsAll},
		{"RefusesMadeUp", a.RefusesMadeUp},
		{"RefusesAll", a.RefusesAll},
		{"Hosts.Min and Max", Age{a.Hosts.Min, a.Hosts.Max}},
		{"Hosts.Max and Hard", Age{a.Hosts.Max, a.Hosts.Hard}},
		{"Hosts.Negative", Age{a.Hosts.Negative, a.Hosts.Negative}},
		{"Hosts.Failure", Age{a.Hosts.Failure, a.Hosts.Failure}},
	} {
		if x.age.Soft <= 0 || x.age.Hard < x.age.Soft || x.age.Hard > longestAge {
			return fmt.Errorf("cache: ages: %s: %v and %v: must rise, and lie above 0 and up to %v", x.name, x.age.Soft, x.age.Hard, longestAge)
		}
	}
	return nil
}

// mailbox is the age of a mailbox record.
func (a *Ages) mailbox(r verdict.Reason) Age {
	switch r {
	case verdict.MailboxAccepted, verdict.MailboxBusy:
		return a.Accepted
	case verdict.AcceptedCatchAll:
		return a.AcceptsAll
	case verdict.AcceptedUntested:
		return a.Untested
	case verdict.MailboxFull:
		return a.Full
	case verdict.MailboxDisabled:
		return a.Disabled
	default:
		return a.NotFound
	}
}

// fact is the age of a domain fact.
func (a *Ages) fact(f *verdict.DomainFact) Age {
	switch {
	case f.Reason != "":
		return a.RefusesAll
	case f.AcceptsAll == verdict.True:
		return a.AcceptsAll
	default:
		return a.RefusesMadeUp
	}
}

// mailHosts is the age of what the DNS said.
func (a *HostAges) mailHosts(m *maildns.MailHosts) Age {
	switch m.Status {
	case maildns.Found, maildns.NullMX:
		return Age{min(max(m.TTL, a.Min), a.Max), a.Hard}
	case maildns.Timeout, maildns.Failure:
		return Age{a.Failure, a.Failure}
	default:
		// A zone without a negative TTL is asked again as soon as one whose DNS fails.
		hold := min(max(m.TTL, a.Failure), a.Negative)
		return Age{hold, hold}
	}
}

// HostsExpireAt is when mail hosts that [Cache.Hosts] returned are forgotten.
func (c *Cache) HostsExpireAt(m *maildns.MailHosts) time.Time {
	ages := c.ages.Load()
	return m.At.Add(ages.Hosts.mailHosts(m).Hard)
}

// maxAhead is how far in the future a record may have been made: clocks are set back. What is further ahead was made
// by a clock that was wrong.
const maxAhead = 2 * time.Hour

// freshness judges a record made at a time.
func (a Age) freshness(made, now time.Time) verdict.Freshness {
	switch age := now.Sub(made); {
	case age < -maxAhead || age >= a.Hard:
		return verdict.Missing
	case age >= a.Soft:
		return verdict.Stale
	default:
		return verdict.Fresh
	}
}

// ttl is for how long a store should keep a record made at a time: somewhat longer than it may be used, since the
// store's clock may be set back too.
func (a Age) ttl(made, now time.Time) time.Duration {
	return max(a.Hard-now.Sub(made), 0) + maxAhead
}
