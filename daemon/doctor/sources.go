package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/verimails/verimaild/daemon"
	"github.com/verimails/verimaild/pool/preflight"
)

// sources looks at the sources as the daemon's own preflight does.
func (x *exam) sources(ctx context.Context) []Finding {
	if x.Config == nil {
		return nil
	}
	rep, err := daemon.LookAtSources(ctx, x.Config)
	if err != nil {
		return []Finding{{Check: "sources", State: Fail, Found: err.Error(), Advice: "Set ehlo of each source to the name of its address, or give this host its full name."}}
	}
	var out []Finding
	for i := range rep.Findings {
		out = append(out, fromPreflight(&rep.Findings[i]))
	}
	v6 := func(f preflight.Finding) bool { return f.Family == preflight.IPv6 }
	if !slices.ContainsFunc(rep.Findings, v6) {
		out = append(out, Finding{Check: "ipv6", State: Note, Found: "no source has IPv6, so mail hosts with nothing else are not asked"})
	}
	return out
}

// fromPreflight is a finding of preflight in the words of doctor.
func fromPreflight(p *preflight.Finding) Finding {
	states := map[preflight.Severity]State{preflight.Error: Fail, preflight.Warning: Warn, preflight.Info: Note}
	f := Finding{
		Subject: strings.TrimSpace(p.Source + " " + string(p.Family)), Check: string(p.Check),
		Found: p.What, Advice: p.Advice, State: OK,
	}
	switch {
	case p.State == preflight.Bad:
		f.State = states[p.Severity]
	case p.State == preflight.Unknown && p.Severity == preflight.Info:
		f.State = Note
	case p.State == preflight.Unknown:
		f.State = Unknown
	}
	return f
}
