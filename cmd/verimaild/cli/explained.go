package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// A sheet is rows of a name and what there is to say; a row without a name goes on with the one above.
type sheet struct{ w io.Writer }

func (s sheet) row(name, format string, args ...any) {
	fmt.Fprintf(s.w, "  %-12s %s\n", name, printable(fmt.Sprintf(format, args...)))
}

// renderExplained prints the whole way to an answer: what it is, why, and everything that it rests on, in the order in which
// it was found out.
func renderExplained(w io.Writer, a *apitype.Answer) {
	s := sheet{w}
	fmt.Fprintln(w, printable(a.Email))
	s.row("verdict", "%s, because %s (about the %s)", a.Verdict, a.Reason, a.Subject)
	s.row("in words", "%s", printable(a.Explanation))
	if a.Trace != nil {
		s.row("decided by", "%s: %s", a.Trace.Decision.Rule, printable(a.Trace.Decision.Says))
	}
	if !a.RetryAt.IsZero() {
		s.row("ask again", "%s", a.RetryAt.Format(time.RFC3339))
	}
	if a.DidYouMean != "" {
		s.row("did you mean", "%s", printable(a.DidYouMean))
	}
	s.syntax(a)
	s.lists(a)
	s.mailHosts(a)
	if a.ProviderMode != "" {
		s.provider(a)
	}
	s.memory(a)
	if a.AcceptAll != "" && a.Domain != nil {
		s.row("accept-all", "%s", acceptAll(a))
	}
	if a.Trace != nil && a.Trace.Source != nil {
		s.row("source", "%s: %s", a.Trace.Source.Name, a.Trace.Source.Why)
	}
	renderAll(w, a.Evidence, origins(a.Trace))
	if a.Trace != nil {
		for i, sentence := range a.Trace.Unseen {
			s.row(first(i, "not seen"), "%s", printable(sentence))
		}
	}
	s.row("took", "%d ms", a.TookMS)
}

// first is name for the first of several rows, and nothing for the others.
func first(i int, name string) string {
	if i == 0 {
		return name
	}
	return ""
}

// syntax prints how the address was read.
func (s sheet) syntax(a *apitype.Answer) {
	if a.Normalized == "" {
		return
	}
	s.row("address", "%s", printable(a.Normalized))
	if f := flagNames(&a.Flags); f != "" {
		s.row("flags", "%s", f)
	}
}

// lists prints which lists know the address, and which do not.
func (s sheet) lists(a *apitype.Answer) {
	if a.Trace == nil || len(a.Trace.Lists) == 0 {
		return
	}
	var absent []string
	n := 0
	for _, l := range a.Trace.Lists {
		if !l.Listed {
			absent = append(absent, fmt.Sprintf("%s (%d, %s)", listName(l.List), l.Names+l.Own, l.Date))
			continue
		}
		own := ""
		if l.Own > 0 {
			own = fmt.Sprintf(", and %d of the operator's", l.Own)
		}
		s.row(first(n, "lists"), "on the list %s: %d names of %s, %s%s", listName(l.List), l.Names, printable(l.Source), l.Date, own)
		n++
	}
	if len(absent) > 0 {
		s.row(first(n, "lists"), "not on %s", strings.Join(absent, ", "))
	}
}

func listName(s string) string { return strings.ReplaceAll(s, "_", "-") }

// mailHosts prints what the DNS said, who said it, and how old that is.
func (s sheet) mailHosts(a *apitype.Answer) {
	switch {
	case a.Domain == nil || a.Stage == "syntax":
		return
	case a.Trace == nil || a.Trace.MailHosts == nil:
		s.row("mail hosts", "%s", hosts(a.Domain))
		return
	}
	h := a.Trace.MailHosts
	s.row("mail hosts", "%s, %s", strings.ReplaceAll(h.Status, "_", " "), dnsAge(h))
	if h.Detail != nil {
		s.row("", "%s", printable(*h.Detail))
	}
	for i := range h.Hosts {
		mx := &h.Hosts[i]
		line := mailHost(&apitype.MailHost{Host: mx.Host, Preference: mx.Preference, Addresses: mx.Addresses, Refused: mx.Refused})
		if mx.Detail != nil {
			line += " (" + printable(*mx.Detail) + ")"
		}
		s.row("", "%s", line)
	}
}

// dnsAge says when the DNS was asked, and for how long its answer holds.
func dnsAge(h *apitype.TraceHosts) string {
	who := "nobody"
	if h.Server != nil {
		who = *h.Server
	}
	left := "its TTL is over"
	if h.TTLLeftS > 0 {
		left = fmt.Sprintf("its TTL leaves %v", seconds(h.TTLLeftS))
	}
	if h.From == "dns" {
		return fmt.Sprintf("asked now: %s answered in %d ms, %s", who, h.TookMS, left)
	}
	return fmt.Sprintf("from memory: %s answered %v ago, %s", who, seconds(h.AgeS), left)
}

func seconds(n int64) time.Duration { return time.Duration(n) * time.Second }

// provider prints whose mail hosts these are, how far such can be asked, and how that is known.
func (s sheet) provider(a *apitype.Answer) {
	name := a.Provider
	if name == "" {
		name = "none known"
	}
	if a.ProviderNote == "" {
		s.row("provider", "%s, mode %s", name, a.ProviderMode)
		return
	}
	s.row("provider", "%s, mode %s: %s", name, a.ProviderMode, printable(a.ProviderNote))
}

// memory prints what was remembered before anybody was asked, and whether it is the answer.
func (s sheet) memory(a *apitype.Answer) {
	if a.Trace == nil {
		if a.Cached {
			s.row("remembered", "from %s", a.CheckedAt.Format(time.RFC3339))
		}
		return
	}
	for i, m := range a.Trace.Memory {
		if m.Says == nil {
			s.row(first(i, "memory"), "%s: nothing", m.Of)
			continue
		}
		line := fmt.Sprintf("%s: %s", m.Of, printable(*m.Says))
		if m.AgeS != nil {
			line += fmt.Sprintf(", %v old, %s", seconds(*m.AgeS), m.Freshness)
		}
		if m.ExpiresAt != nil {
			line += ", kept until " + m.ExpiresAt.Format(time.RFC3339)
		}
		if m.Served {
			line += "; this is the answer"
		}
		s.row(first(i, "memory"), "%s", line)
	}
	if a.Cached {
		s.row("remembered", "from %s; nobody was asked now", a.CheckedAt.Format(time.RFC3339))
	}
}

// origins is where the replies that each rule reads have been seen.
func origins(t *apitype.Trace) map[string]string {
	if t == nil {
		return nil
	}
	out := make(map[string]string, len(t.Rules))
	for _, r := range t.Rules {
		out[r.Rule] = r.Seen
	}
	return out
}
