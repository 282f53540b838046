package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/pool"
)

// An Egress is what asks mail servers; *pool.Pool is one.
type Egress interface {
	Egress(match string, most int) pool.Egress
	Drain(source string) error
	Resume(source string) error
}

const (
	usualSites = 100
	mostSites  = 10_000
)

// An egressQuery is the query string of GET /v1/egress.
type egressQuery struct {
	site  string
	sites int
}

var egressFields = []field[egressQuery]{
	{name: "site", set: func(q *egressQuery, v string) error { q.site = v; return nil }},
	{name: "sites", set: func(q *egressQuery, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > mostSites {
			return fmt.Errorf("is %s, not a number from 0 to %d", quote(v), mostSites)
		}
		q.sites = n
		return nil
	}},
}

// egress is GET /v1/egress.
func (s *Server) egress(c *call) error {
	e, err := s.theEgress()
	if err != nil {
		return err
	}
	q := egressQuery{sites: usualSites}
	if err := readQuery(c.r.URL.RawQuery, egressFields, &q); err != nil {
		return err
	}
	picture := e.Egress(q.site, q.sites)
	c.sendJSON(http.StatusOK, egressOf(&picture, time.Now()))
	return nil
}

// drainSource is POST /v1/egress/sources/{name}/drain.
func (s *Server) drainSource(c *call) error { return s.turnSource(c, "source drained", Egress.Drain) }

// resumeSource is POST /v1/egress/sources/{name}/resume.
func (s *Server) resumeSource(c *call) error {
	return s.turnSource(c, "source resumed", Egress.Resume)
}

// turnSource changes a source, and answers with what it is now.
func (s *Server) turnSource(c *call, what string, turn func(Egress, string) error) error {
	e, err := s.theEgress()
	if err != nil {
		return err
	}
	name, err := c.segment("name")
	if err != nil {
		return err
	}
	if err := turn(e, name); err != nil {
		if errors.Is(err, pool.ErrUnknownSource) {
			return fail(apitype.CodeNoSource, "There is no source %s; GET /v1/egress lists them.", quote(name))
		}
		return err
	}
	c.audit(what, zap.String("source", name))
	picture := e.Egress("", 0)
	i := slices.IndexFunc(picture.Sources, func(src pool.SourceEgress) bool { return src.Name == name })
	if i < 0 {
		return fail(apitype.CodeNoSource, "Source %s has just been taken out of the configuration.", quote(name))
	}
	c.sendJSON(http.StatusOK, sourceOf(&picture.Sources[i]))
	return nil
}

// theEgress is the egress, if there is one.
func (s *Server) theEgress() (Egress, error) {
	if s.opts.Egress != nil {
		if e := s.opts.Egress(); e != nil {
			return e, nil
		}
	}
	return nil, fail(apitype.CodeNoEgress, "No mail server is asked; GET /readyz says what is missing.")
}

func egressOf(e *pool.Egress, now time.Time) *apitype.Egress {
	out := &apitype.Egress{
		Sessions: apitype.EgressSessions(e.Sessions), MaxSessions: limited(e.Max), PausedUntil: after(e.PauseEnds, now),
		Sender:  apitype.EgressSender{Domain: e.Sender.Domain, State: e.Sender.State, OpenUntil: after(e.Sender.Until, now)},
		Sources: []apitype.EgressSource{}, Sites: []apitype.EgressSite{}, SitesLeft: e.SitesLeft,
		Providers: []apitype.EgressProvider{}, Outages: []apitype.EgressOutage{}, Refusals: []apitype.EgressRefusal{},
	}
	if r := e.Sender.Refusal; r != nil {
		out.Sender.Refusal = new(refusalOf(r))
	}
	for i := range e.Sources {
		out.Sources = append(out.Sources, *sourceOf(&e.Sources[i]))
	}
	for i := range e.Sites {
		out.Sites = append(out.Sites, siteOf(&e.Sites[i], now))
	}
	for i := range e.Providers {
		p := &e.Providers[i]
		out.Providers = append(out.Providers, apitype.EgressProvider{
			ID: p.ID, Sessions: p.Sessions, Budgets: budgetsOf(p.Accounts, now), NextProbe: after(p.NextProbe, now),
			SlowUntil: after(p.SlowUntil, now),
		})
	}
	for _, o := range e.Outages {
		out.Outages = append(out.Outages, apitype.EgressOutage{Host: o.Host, IP: o.IP.String(), Until: after(o.Until, now)})
	}
	for i := range e.Refusals {
		out.Refusals = append(out.Refusals, refusalOf(&e.Refusals[i]))
	}
	return out
}

func sourceOf(s *pool.SourceEgress) *apitype.EgressSource {
	out := &apitype.EgressSource{
		Name: s.Name, EHLO: s.EHLO, IPv4: addr(s.IPv4), IPv6: addr(s.IPv6), PublicIPv4: addr(s.PublicIPv4), PublicIPv6: addr(s.PublicIPv6),
		Proxied: s.Proxy != (pool.Proxy{}), Weight: 1, State: s.State, Why: named(s.Why), Until: stamp(s.Until),
		Sessions: s.Sessions, Sites: s.Paths,
	}
	if s.Weight != nil {
		out.Weight = *s.Weight
	}
	if s.Today >= 0 {
		out.ProbesLeft, out.DayEnds = new(s.Today), stamp(s.DayEnds)
	}
	return out
}

func siteOf(s *pool.SiteEgress, now time.Time) apitype.EgressSite {
	l, k := &s.Limits, &s.Learned
	out := apitype.EgressSite{
		Hosts: s.Hosts, Domain: named(s.Domain), Provider: named(s.Provider), Batch: s.Batch, Budgets: budgetsOf(s.Accounts, now),
		Paths: []apitype.EgressPath{},
		Learned: apitype.EgressLearned{
			RecipientsPerTransaction: limited(k.Recipients), TransactionsPerSession: limited(k.Transactions),
			RefusalsPerSession: limited(k.Refusals), IdleMS: limited(k.Idle.Milliseconds()), SessionAgeMS: limited(k.Age.Milliseconds()),
			BrokenPipelining: list(k.BrokenPipelining), BrokenTLS: list(k.BrokenTLS), At: stamp(k.At),
		},
		Limits: apitype.EgressSiteLimit{
			Sessions: limited(l.Sessions), SessionsPerHour: limited(l.SessionsPerHour),
			RecipientsPerTransaction: limited(l.RecipientsPerTransaction), TransactionsPerSession: limited(l.TransactionsPerSession),
			RefusalsPerSession: limited(l.RefusalsPerSession), RefusalsPerHour: limited(l.RefusalsPerHour),
			ControlsPerHour: limited(l.ControlsPerHour), RefusalRatio: limited(l.RefusalRatio), ProbesPerMinute: limited(l.ProbesPerMinute),
		},
	}
	for i := range s.Paths {
		out.Paths = append(out.Paths, pathOf(&s.Paths[i], now))
	}
	return out
}

func pathOf(p *pool.PathEgress, now time.Time) apitype.EgressPath {
	out := apitype.EgressPath{
		Source: p.Source, State: p.State, OpenUntil: after(p.Until, now), Sessions: apitype.EgressSessions(p.Sessions),
		SessionsAllowed: limited(p.SessionsAllowed), SessionsHour: p.SessionsHour, Waiting: p.Waiting,
		ProbesPerMinute: limited(p.PerMinute), DeadShare: p.DeadShare, Sample: p.Sample,
		NextProbe: after(p.NextProbe, now), NextDial: after(p.NextDial, now),
	}
	if p.Refusal != nil {
		out.Refusal = new(refusalOf(p.Refusal))
	}
	return out
}

func refusalOf(r *pool.Refusal) apitype.EgressRefusal {
	return apitype.EgressRefusal{
		At: r.At, Source: r.Source, Site: r.Site, Provider: named(r.Provider), Host: r.Host, Stage: r.Stage, Text: r.Reply,
		Class: named(r.Class), Scope: named(r.Scope), Until: stamp(r.Until),
	}
}

func budgetsOf(accounts []pool.AccountEgress, now time.Time) []apitype.EgressBudget {
	out := []apitype.EgressBudget{}
	for i := range accounts {
		a := &accounts[i]
		b := apitype.EgressBudget{Refusals: allowanceOf(&a.Dead, now), Controls: allowanceOf(&a.Controls, now)}
		if a.Prefix.IsValid() {
			b.Prefix = named(a.Prefix.String())
		}
		out = append(out, b)
	}
	return out
}

func allowanceOf(a *pool.Allowance, now time.Time) apitype.EgressAllowance {
	out := apitype.EgressAllowance{Limit: limited(a.Limit), Spent: a.Spent, Held: a.Held, RoomAt: after(a.RoomAt, now), Refills: after(a.Refills, now)}
	if a.Limit > 0 {
		out.Left = new(max(0, a.Limit-a.Spent-a.Held))
	}
	return out
}

// limited is a limit; nil if it is lifted.
func limited[T int | int64 | float64](n T) *T {
	if n == 0 {
		return nil
	}
	return &n
}

// named is a name; nil if there is none.
func named(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func addr(a netip.Addr) *string {
	if !a.IsValid() {
		return nil
	}
	return named(a.String())
}

// stamp is a time; nil if it is not known.
func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC().Truncate(time.Second))
}

// after is a time that is still to come; nil if it is not.
func after(t, now time.Time) *time.Time {
	if !t.After(now) {
		return nil
	}
	return stamp(t)
}

func list(s []string) []string { return append([]string{}, s...) }
