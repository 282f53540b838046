package preflight

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"go.uber.org/zap"
)

// idle is how long a Monitor that is off sleeps, unless it is woken.
const idle = 24 * time.Hour

// begin puts opts into force, looks at the addresses, and says how long the rest is to wait.
func (m *Monitor) begin(opts MonitorOptions) time.Duration {
	m.forget(&opts)
	m.applied = opts
	if opts.Mode == Off {
		m.report.Store(nil)
		return idle
	}
	start := time.Now()
	findings := (&exam{opts: &opts.Options}).binds()
	for i := range opts.Sources {
		s := opts.Sources[i]
		if j := judge(opts.Mode, s.Name, findings, nil); j.state == Bad {
			k, first := m.know(s)
			k.note(j, first)
		}
	}
	m.publish(&opts, findings, start)
	return settle + rand.N(settle) //nolint:gosec // G404: spreads load; nobody gains by guessing it.
}

// run looks at everything, and returns how long to wait for the next run.
func (m *Monitor) run(ctx context.Context, opts MonitorOptions) time.Duration {
	if opts.Mode == Off {
		return idle
	}
	m.turn++
	start := time.Now()
	x := exam{opts: &opts.Options, turn: m.turn, known: m.recentPorts(opts.Interval)}
	findings := x.run(ctx)
	if ctx.Err() != nil {
		return 0 // What was cut short says nothing, and the loop ends.
	}
	undecided := false
	for i := range opts.Sources {
		k, first := m.know(opts.Sources[i])
		k.keepPorts(findings)
		k.note(judge(opts.Mode, k.source.Name, findings, k.causes), first)
		undecided = undecided || k.against > 0
	}
	m.logFindings(&opts, findings)
	m.publish(&opts, findings, start)
	wait := opts.Interval
	if undecided {
		wait /= confirm
	}
	return wait - wait/10 + rand.N(wait/5) //nolint:gosec // G404: spreads load; nobody gains by guessing it.
}

// know is what is known of a source, and whether it is looked at for the first time.
func (m *Monitor) know(s Source) (k *known, first bool) {
	if k = m.known[s.Name]; k != nil {
		return k, false
	}
	k = &known{source: s, ports: map[Family]finding{}}
	m.known[s.Name] = k
	return k, true
}

// forget drops what is known of sources that are gone or have changed, and of all if nothing is looked at any more: what
// is not looked at is fit.
func (m *Monitor) forget(opts *MonitorOptions) {
	for name, k := range m.known {
		if opts.Mode == Off || !slices.Contains(opts.Sources, k.source) {
			delete(m.known, name)
			opts.Fitness(name, "")
		}
	}
	if opts.Mode == Off {
		clear(m.before)
	}
}

// recentPorts finds what is known of a port that was tried less than an eighth of the interval ago.
func (m *Monitor) recentPorts(interval time.Duration) func(*identity) (finding, bool) {
	recent := map[key]finding{}
	for _, k := range m.known {
		for _, p := range k.ports {
			if time.Since(p.tried) < interval/8 {
				recent[p.key()] = p
			}
		}
	}
	return func(id *identity) (finding, bool) {
		f, ok := recent[key{check: CheckPort, source: id.Name, family: id.family}]
		return f, ok
	}
}

// keepPorts remembers what a run found of the source's ports.
func (k *known) keepPorts(findings []finding) {
	for i := range findings {
		if f := &findings[i]; f.Check == CheckPort && f.Source == k.source.Name {
			k.ports[f.Family] = *f
		}
	}
}

// logFindings logs what has become bad or doubtful since the last run, and what has become well.
func (m *Monitor) logFindings(opts *MonitorOptions, findings []finding) {
	now := make(map[key]State, len(findings))
	for i := range findings {
		f := &findings[i]
		was := m.before[f.key()]
		if now[f.key()] = f.State; was == f.State {
			continue
		}
		fields := []zap.Field{
			zap.String("check", string(f.Check)), zap.String("source", f.Source), zap.String("found", f.What),
			zap.String("advice", f.Advice),
		}
		switch {
		case f.State == Bad && f.Severity != Info:
			opts.Logger.Warn("preflight: something is wrong", fields...)
		case f.State != OK:
			opts.Logger.Info("preflight: something to look at", fields...)
		case was == Bad:
			opts.Logger.Info("preflight: well again", fields[:3]...)
		}
	}
	m.before = now
}

// publish tells what a run has come to.
func (m *Monitor) publish(opts *MonitorOptions, findings []finding, start time.Time) {
	rep := &Report{Findings: public(findings), At: time.Now(), Took: time.Since(start)}
	for i := range opts.Sources {
		if k := m.known[opts.Sources[i].Name]; k != nil && k.out {
			rep.Out = append(rep.Out, Unfit{k.source.Name, k.why})
		}
	}
	m.report.Store(rep)
	m.tell(opts)
}

// tell says of each source whether it is fit.
func (m *Monitor) tell(opts *MonitorOptions) {
	for i := range opts.Sources {
		name, why := opts.Sources[i].Name, ""
		if k := m.known[name]; k != nil && k.out {
			why = k.why
		}
		opts.Fitness(name, why)
	}
}
