package provider

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// file is the form of providers.yaml.
type file struct {
	Version   string `yaml:"version"`
	Providers []row  `yaml:"providers"`
}

// row is one provider as written.
type row struct {
	ID             string   `yaml:"id"`
	Name           string   `yaml:"name"`
	MX             []string `yaml:"mx"`
	Mode           Mode     `yaml:"mode"`
	Note           string   `yaml:"note"`
	Controls       string   `yaml:"controls"`
	Consumer       []string `yaml:"consumer"`
	Limits         limits   `yaml:"limits"`
	ProviderLimits limits   `yaml:"provider_limits"`
	Refuses        Phase    `yaml:"refuses"`
	Quirks         []string `yaml:"quirks"`
	Source         string   `yaml:"source"`
	Confidence     string   `yaml:"confidence"`
}

// limits is Limits as written: durations are text with a unit.
type limits struct {
	Sessions                 *int     `yaml:"sessions"`
	SessionsPerHour          *int     `yaml:"sessions_per_hour"`
	DialInterval             string   `yaml:"dial_interval"`
	RecipientsPerTransaction *int     `yaml:"recipients_per_transaction"`
	TransactionsPerSession   *int     `yaml:"transactions_per_session"`
	RefusalsPerSession       *int     `yaml:"refusals_per_session"`
	RefusalsPerHour          *int     `yaml:"refusals_per_hour"`
	ControlsPerHour          *int     `yaml:"controls_per_hour"`
	RefusalRatio             *float64 `yaml:"refusal_ratio"`
	ProbesPerMinute          *float64 `yaml:"probes_per_minute"`
	Idle                     string   `yaml:"idle"`
	SessionAge               string   `yaml:"session_age"`
	Ramp                     *bool    `yaml:"ramp"`
}

// parse reads a table in the form of providers.yaml. Unknown keys, numbers where a duration is wanted and
// unknown words are errors.
func parse(text []byte) (version string, rows []Provider, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	var f file
	if err := dec.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return "", nil, err
	}
	for i := range f.Providers {
		p, err := f.Providers[i].provider()
		if err != nil {
			return "", nil, fmt.Errorf("provider %s: %w", f.Providers[i].ID, err)
		}
		rows = append(rows, p)
	}
	return f.Version, rows, nil
}

func (r *row) provider() (Provider, error) {
	p := Provider{
		ID: r.ID, Name: r.Name, MX: r.MX, Mode: r.Mode, Note: r.Note, Controls: ControlCost(r.Controls),
		Consumer: r.Consumer, Refuses: r.Refuses, Source: r.Source, Confidence: Confidence(r.Confidence),
	}
	var errs []error
	var err error
	p.Quirks, err = parseQuirks(r.Quirks)
	errs = append(errs, err)
	p.Limits, err = r.Limits.parse("limits")
	errs = append(errs, err)
	p.ProviderLimits, err = r.ProviderLimits.parse("provider_limits")
	errs = append(errs, err)
	return p, errors.Join(errs...)
}

func (l *limits) parse(key string) (Limits, error) {
	out := Limits{
		Sessions: l.Sessions, SessionsPerHour: l.SessionsPerHour, RecipientsPerTransaction: l.RecipientsPerTransaction,
		TransactionsPerSession: l.TransactionsPerSession, RefusalsPerSession: l.RefusalsPerSession, RefusalsPerHour: l.RefusalsPerHour,
		ControlsPerHour: l.ControlsPerHour, RefusalRatio: l.RefusalRatio, ProbesPerMinute: l.ProbesPerMinute, Ramp: l.Ramp,
	}
	var errs [3]error
	out.DialInterval, errs[0] = parseDuration(key+".dial_interval", l.DialInterval)
	out.Idle, errs[1] = parseDuration(key+".idle", l.Idle)
	out.SessionAge, errs[2] = parseDuration(key+".session_age", l.SessionAge)
	return out, errors.Join(errs[:]...)
}

// parseDuration reads a duration with a unit; nil if s is empty.
func parseDuration(key, s string) (*time.Duration, error) {
	if s == "" {
		return nil, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return nil, fmt.Errorf("%s: %q: want a duration with its unit, such as 20s", key, s)
	}
	return &d, nil
}

// parseQuirks turns the words of the table into Quirks.
func parseQuirks(words []string) (Quirks, error) {
	var q Quirks
	at := map[string]*bool{"one_recipient": &q.OneRecipient, "silent_accept": &q.SilentAccept}
	for _, w := range words {
		b := at[w]
		if b == nil {
			return Quirks{}, fmt.Errorf("quirks: unknown word %q", w)
		}
		*b = true
	}
	return q, nil
}

var idPattern = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// check refuses a row that cannot be what its writer meant.
func check(p *Provider) error {
	bad := func(key, format string, args ...any) error {
		return fmt.Errorf("provider %s: %s: %s", p.ID, key, fmt.Sprintf(format, args...))
	}
	switch {
	case !idPattern.MatchString(p.ID):
		return bad("id", "want lower-case letters, digits and underscores")
	case len(p.MX) == 0:
		return bad("mx", "want at least one pattern")
	case !slices.Contains([]Mode{"", ModeProbe, ModeWeak, ModeNoSignal, ModeSkip}, p.Mode):
		return bad("mode", "%q: want probe, weak, no_signal or skip", p.Mode)
	case p.Mode != "" && p.Mode != ModeProbe && p.Note == "":
		return bad("note", "a mode other than probe needs the observation behind it")
	case !slices.Contains([]ControlCost{"", ControlsNormal, ControlsFree, ControlsNever}, p.Controls):
		return bad("controls", "%q: want normal, free or never", p.Controls)
	case !slices.Contains([]Phase{"", PhaseRCPT, PhaseData, PhaseMixed, PhaseBounce}, p.Refuses):
		return bad("refuses", "%q: want rcpt, data, mixed or bounce", p.Refuses)
	case !slices.Contains([]Confidence{"", ConfidenceHigh, ConfidenceMedium, ConfidenceLow}, p.Confidence):
		return bad("confidence", "%q: want high, medium or low", p.Confidence)
	}
	if err := p.Limits.check(); err != nil {
		return bad("limits", "%v", err)
	}
	if err := p.ProviderLimits.check(); err != nil {
		return bad("provider_limits", "%v", err)
	}
	return nil
}

func (l *Limits) check() error {
	for _, n := range []*int{
		l.Sessions, l.SessionsPerHour, l.RecipientsPerTransaction, l.TransactionsPerSession, l.RefusalsPerSession,
		l.RefusalsPerHour, l.ControlsPerHour,
	} {
		if n != nil && *n < 0 {
			return fmt.Errorf("%d: no limit is negative", *n)
		}
	}
	if l.RefusalRatio != nil && (*l.RefusalRatio < 0 || *l.RefusalRatio > 1) {
		return fmt.Errorf("refusal_ratio: %g: want 0 to 1", *l.RefusalRatio)
	}
	if l.ProbesPerMinute != nil && *l.ProbesPerMinute < 0 {
		return fmt.Errorf("probes_per_minute: %g: no limit is negative", *l.ProbesPerMinute)
	}
	return nil
}
