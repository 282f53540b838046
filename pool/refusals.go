package pool

import "time"

// A Refusal is a receiver's word about us, as an operator is shown it.
type Refusal struct {
	At       time.Time
	Source   string
	Site     string
	Provider string
	Host     string
	Stage    string
	Reply    string // In the server's words.
	Failure  Failure
	Class    string
	Scope    string
	Until    time.Time // When the path is tried again.
}

// mostRefusals is how many of the last refusals are kept for people to look at.
const mostRefusals = 50

// refusals are the last ones of all paths, the newest first.
type refusals []Refusal

func (r *refusals) note(pa *path, o *Outcome) {
	*r = append(refusals{pa.shown(o)}, (*r)[:min(len(*r), mostRefusals-1)]...)
}

// shown is an outcome at pa for people to look at.
func (pa *path) shown(o *Outcome) Refusal {
	return refusalOf(pa.source.Name, pa.site.key, pa.site.providerID(), o)
}

// refusalOf is an outcome for people to look at.
func refusalOf(source, site, provider string, o *Outcome) Refusal {
	ref := Refusal{
		At: o.At, Source: source, Site: site, Provider: provider, Host: o.Host, Stage: string(o.Stage), Failure: o.Failure,
		Class: string(o.Meaning.Class), Scope: string(o.Meaning.Scope), Until: o.RetryAt, Reply: o.Detail,
	}
	if o.Reply.Code != 0 {
		ref.Reply = o.Reply.String()
	}
	if ref.At.IsZero() {
		ref.At = time.Now()
	}
	return ref
}
