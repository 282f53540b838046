package verify

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// settings are Settings made ready for use; they do not change.
type settings struct {
	prober    Prober
	blocked   string
	deadNames int
	sender    string
	mode      func(domain string, hosts []string) (provider.Mode, bool) // nil if the table's modes are in force.
	policy    Policy
	addresses map[string]bool
	domains   map[string]bool // And all below them.
	hosts     []string        // Suffixes with a leading dot, or whole names.
}

// compile checks s and makes it ready. Its error names every entry at fault.
func compile(s Settings) (*settings, error) {
	out := &settings{
		prober: s.Prober, blocked: s.Blocked, deadNames: s.DeadNames, sender: s.Sender, mode: s.Mode, policy: s.Policy,
		addresses: map[string]bool{}, domains: map[string]bool{},
	}
	var errs []error
	for i, entry := range s.NeverProbe {
		if err := out.never(strings.TrimSpace(entry)); err != nil {
			errs = append(errs, &NeverProbeError{Index: i, Entry: entry, Err: err})
		}
	}
	return out, errors.Join(errs...)
}

// A NeverProbeError says which entry of Settings.NeverProbe makes no sense.
type NeverProbeError struct {
	Index int
	Entry string
	Err   error
}

func (e *NeverProbeError) Error() string {
	return fmt.Sprintf("never_probe[%d]: %q: %v", e.Index, e.Entry, e.Err)
}

func (e *NeverProbeError) Unwrap() error { return e.Err }

// never adds one entry: an address, "mx:" and a host pattern, "*.host" as a host pattern, or a domain.
func (s *settings) never(entry string) error {
	switch {
	case strings.Contains(entry, "@"):
		a, err := address.Parse(entry)
		if err != nil {
			return err
		}
		s.addresses[a.Key()] = true
	case strings.HasPrefix(entry, "mx:"), strings.HasPrefix(entry, "*."):
		pattern := strings.TrimPrefix(entry, "mx:")
		wild := strings.HasPrefix(pattern, "*.")
		d, err := address.ParseDomain(strings.TrimPrefix(pattern, "*."))
		if err != nil {
			return err
		}
		if wild {
			s.hosts = append(s.hosts, "."+d.ASCII())
		} else {
			s.hosts = append(s.hosts, d.ASCII())
		}
	default:
		d, err := address.ParseDomain(entry)
		if err != nil {
			return err
		}
		s.domains[d.ASCII()] = true
	}
	return nil
}

// neverProbe reports whether a, its domain or a parent of it is on the list.
func (s *settings) neverProbe(a address.Address) bool {
	if s.addresses[a.Key()] {
		return true
	}
	for d := a.Domain().ASCII(); d != ""; {
		if s.domains[d] {
			return true
		}
		_, rest, found := strings.Cut(d, ".")
		if !found {
			break
		}
		d = rest
	}
	return false
}

// neverProbeHosts reports whether any of the mail hosts matches a pattern on the list.
func (s *settings) neverProbeHosts(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		return slices.ContainsFunc(s.hosts, func(p string) bool {
			return name == p || strings.HasPrefix(p, ".") && strings.HasSuffix(name, p)
		})
	})
}

// suppresses reports whether a, or any of the mail hosts that an answer about it lists, is on the list.
func (s *settings) suppresses(a address.Address, mx []verdict.MX) bool {
	if len(s.addresses) == 0 && len(s.domains) == 0 && len(s.hosts) == 0 {
		return false
	}
	return s.neverProbe(a) || len(s.hosts) > 0 && s.neverProbeHosts(namesOf(mx))
}

// modeOf is how far a domain can be asked, and the observation behind that: the operator's word, or else the provider's
// row; p may be nil.
func (s *settings) modeOf(domain string, hosts []string, p *provider.Provider) (mode provider.Mode, note string) {
	mode = provider.ModeProbe
	if p != nil {
		mode, note = p.Mode, p.Note
	}
	if s.mode == nil {
		return mode, note
	}
	own, ok := s.mode(domain, hosts)
	if !ok || own == mode {
		return mode, note
	}
	instead := "set by the operator (egress.sites)"
	if p != nil {
		instead += "; the table of providers says " + string(mode)
	}
	if note != "" {
		instead += ": " + note
	}
	return own, instead
}
