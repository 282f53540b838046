package ledger

import (
	"cmp"
	"slices"
	"time"

	"github.com/verimails/verimaild/verify/feedback"
)

// Stats are what was reported, and how good the answer "deliverable" was by it.
type Stats struct {
	Window    time.Duration // What is measured is no older than this, by whole days.
	Total     Precision     // Of all providers; its Provider is "".
	Providers []Precision   // Those of which something was reported, by name; "" is the mail hosts that belong to none.
	Apps      []App         // Those that have reported, by name; all that they ever did.
}

// A Precision is what became of messages to addresses that had been answered deliverable.
type Precision struct {
	Provider  string
	Delivered uint64
	Bounced   uint64 // Refused for good, for what the mailbox is.
}

// Of is how many messages were counted.
func (p *Precision) Of() uint64 { return p.Delivered + p.Bounced }

// Ratio is the share that was delivered; ok is false if nothing was counted.
func (p *Precision) Ratio() (ratio float64, ok bool) {
	if p.Of() == 0 {
		return 0, false
	}
	return float64(p.Delivered) / float64(p.Of()), true
}

// An App is what one application has reported.
type App struct {
	Name    string
	Reports uint64
	Says    map[feedback.Says]uint64
	Effects map[feedback.Effect]uint64
	Exposed uint64 // Domains that were shown to accept recipients that do not exist.
	Last    time.Time
}

// Stats says how things stand. It blocks for no disk.
func (l *Ledger) Stats() Stats {
	st := Stats{Window: feedback.Window}
	oldest := dayOf(l.now().Add(-feedback.Window))
	byProvider := map[string]*Precision{}
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, m := range l.days {
		if k.day < oldest {
			continue
		}
		p := byProvider[k.provider]
		if p == nil {
			p = &Precision{Provider: k.provider}
			byProvider[k.provider] = p
		}
		p.Delivered += m.delivered
		p.Bounced += m.bounced
		st.Total.Delivered += m.delivered
		st.Total.Bounced += m.bounced
	}
	for _, p := range byProvider {
		st.Providers = append(st.Providers, *p)
	}
	for name, t := range l.apps {
		st.Apps = append(st.Apps, t.app(name))
	}
	slices.SortFunc(st.Providers, func(a, b Precision) int { return cmp.Compare(a.Provider, b.Provider) })
	slices.SortFunc(st.Apps, func(a, b App) int { return cmp.Compare(a.Name, b.Name) })
	return st
}

func (t *tally) app(name string) App {
	a := App{
		Name: name, Reports: t.reports, Exposed: t.exposed, Last: time.Unix(int64(t.last), 0).UTC(), //nolint:gosec // G115: it was one.
		Says: map[feedback.Says]uint64{}, Effects: map[feedback.Effect]uint64{},
	}
	for i, n := range t.says {
		a.Says[saysOrder[i]] = n
	}
	for i, n := range t.effects {
		a.Effects[effectsOrder[i]] = n
	}
	return a
}
