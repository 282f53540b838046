package api

import (
	"time"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify/verdict"
)

// wireAnswer is a as the client gets it.
func wireAnswer(a *verdict.Answer) apitype.Answer {
	out := apitype.Answer{
		Email:       a.Email,
		Normalized:  a.Normalized,
		Verdict:     string(a.Reason.Verdict()),
		Reason:      string(a.Reason),
		Subject:     string(a.Reason.Subject()),
		Explanation: a.Explain(),
		Flags:       wireFlags(&a.Flags),

		DidYouMean: a.DidYouMean,
		Provider:   a.Provider,

		Cached:    a.Cached,
		CheckedAt: a.CheckedAt,
		ExpiresAt: a.ExpiresAt.Truncate(time.Second),
		RetryAt:   ceilSecond(a.RetryAt), // Up: whoever asks at that second must not be too early.
		TookMS:    tookMS(a),

		AcceptAll:    string(a.AcceptAll),
		Stage:        a.Stage,
		ProviderMode: a.ProviderMode,
		ProviderNote: a.ModeNote,
	}
	if a.Domain != "" {
		out.Domain = wireDomain(a)
	}
	if len(a.Evidence) > 0 {
		out.Evidence = make([]apitype.Evidence, len(a.Evidence))
		for i := range a.Evidence {
			out.Evidence[i] = wireEvidence(&a.Evidence[i])
		}
	}
	return out
}

// tookMS is in milliseconds how long a's request took.
func tookMS(a *verdict.Answer) int64 { return a.Took.Round(time.Millisecond).Milliseconds() }

// wireFlags allocates once for all nine flags.
func wireFlags(f *verdict.Flags) apitype.Flags {
	var values [9]bool
	n := 0
	tri := func(t verdict.Tri) *bool {
		if t == verdict.Undetermined {
			return nil
		}
		v := &values[n]
		n++
		*v = t == verdict.True
		return v
	}
	return apitype.Flags{
		CatchAll:     tri(f.CatchAll),
		Disposable:   tri(f.Disposable),
		PrivacyRelay: tri(f.PrivacyRelay),
		Role:         tri(f.Role),
		FreeProvider: tri(f.FreeProvider),
		NoReply:      tri(f.NoReply),
		Subaddress:   tri(f.Subaddress),
		SMTPUTF8:     tri(f.SMTPUTF8),
		ImplicitMX:   tri(f.ImplicitMX),
	}
}

func wireDomain(a *verdict.Answer) *apitype.Domain {
	d := &apitype.Domain{ASCII: a.Domain, MX: make([]apitype.MX, len(a.MX))}
	for i, mx := range a.MX {
		d.MX[i] = apitype.MX{Host: mx.Host, Preference: mx.Preference}
	}
	return d
}

func wireEvidence(e *verdict.Evidence) apitype.Evidence {
	out := apitype.Evidence{
		Stage:    e.Stage,
		Control:  e.Control,
		MX:       e.MX,
		Source:   e.Source,
		TLS:      e.TLS,
		Code:     e.Code,
		Enhanced: e.Enhanced,
		Text:     e.Text,
		Class:    e.Class,
		Scope:    e.Scope,
		At:       e.At,
		Rule:     e.Rule,
	}
	if e.IP.IsValid() {
		out.IP = e.IP.String()
	}
	if len(e.Dialogue) > 0 {
		out.Dialogue = make([]apitype.Line, len(e.Dialogue))
		for i, l := range e.Dialogue {
			out.Dialogue[i] = apitype.Line{At: l.At, From: apitype.FromServer, Text: l.Text}
			if l.Client {
				out.Dialogue[i].From = apitype.FromClient
			}
		}
	}
	return out
}

// ceilSecond is the first whole second that is not before t; the zero time stays zero.
func ceilSecond(t time.Time) time.Time {
	down := t.Truncate(time.Second)
	if down.Equal(t) {
		return down
	}
	return down.Add(time.Second)
}
