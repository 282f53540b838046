package verify

import (
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// usualLines is how many lines the dialogue about a recipient has, most of which are the reply to EHLO.
const usualLines = 16

// evidence is an outcome as an answer shows it.
func evidence(o *pool.Outcome) verdict.Evidence {
	e := verdict.Evidence{
		Stage: string(o.Stage), Control: o.Recipient.Control, MX: o.Host, IP: o.IP, Source: o.Source, TLS: o.TLS,
		Code: o.Reply.Code, Enhanced: o.Reply.Enhanced.String(), Text: o.Reply.Text(),
		Class: string(o.Meaning.Class), Scope: string(o.Meaning.Scope), Rule: o.Meaning.Rule, At: o.At,
	}
	if o.Failure != pool.FailNone {
		e.Text = o.Detail
	}
	for l := range o.Dialogue() {
		if e.Dialogue == nil {
			e.Dialogue = make([]verdict.Line, 0, usualLines)
		}
		e.Dialogue = append(e.Dialogue, verdict.Line(l))
	}
	return e
}

// controlEvidence is the evidence about made-up recipients and such.
func controlEvidence(all []verdict.Evidence) []verdict.Evidence {
	var out []verdict.Evidence
	for _, e := range all {
		if e.Control {
			out = append(out, e)
		}
	}
	return out
}

// mxOf is the mail hosts as an answer lists them.
func mxOf(hosts *maildns.MailHosts) []verdict.MX {
	out := make([]verdict.MX, len(hosts.Hosts))
	for i, h := range hosts.Hosts {
		out[i] = verdict.MX{Host: h.Name, Preference: h.Preference}
	}
	return out
}

// hostNames is the names of the mail hosts.
func hostNames(hosts *maildns.MailHosts) []string {
	out := make([]string, len(hosts.Hosts))
	for i, h := range hosts.Hosts {
		out[i] = h.Name
	}
	return out
}

// namesOf is the names of mail hosts that an answer lists.
func namesOf(mx []verdict.MX) []string {
	out := make([]string, len(mx))
	for i := range mx {
		out[i] = mx[i].Host
	}
	return out
}

// poolHosts is the mail hosts in the words of the pool.
func poolHosts(hosts *maildns.MailHosts) []pool.Host {
	out := make([]pool.Host, len(hosts.Hosts))
	for i, h := range hosts.Hosts {
		out[i] = pool.Host{Name: h.Name, Preference: h.Preference, Addrs: h.Addrs}
	}
	return out
}

// ofBackup reports whether e was said by a host that is not of the best preference.
func ofBackup(e *verdict.Evidence, mx []verdict.MX) bool {
	best, own := -1, -1
	for _, h := range mx {
		if p := int(h.Preference); best < 0 || p < best {
			best = p
		}
		if h.Host == e.MX {
			own = int(h.Preference)
		}
	}
	return own > best
}
