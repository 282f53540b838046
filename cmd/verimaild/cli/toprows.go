package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// A siteRow is one site as top shows it: all its paths together.
type siteRow struct {
	name       string
	waiting    int
	busy, idle int
	dead       float64 // Share of the last questions.
	sample     int
	budget     string // Refusals spent and allowed, of the prefix with the least left.
	state      string
	forWhat    string // What its recipients wait for; "" if only for their turn.
}

// siteRows are the sites, those where the most waits first.
func siteRows(p picture) []siteRow {
	if p.Egress == nil {
		return nil
	}
	out := make([]siteRow, 0, len(p.Egress.Sites))
	for i := range p.Egress.Sites {
		out = append(out, siteRowOf(&p.Egress.Sites[i], p.At))
	}
	slices.SortStableFunc(out, func(a, b siteRow) int {
		return cmp.Or(cmp.Compare(b.waiting, a.waiting), cmp.Compare(b.busy+b.idle, a.busy+a.idle), strings.Compare(a.name, b.name))
	})
	return out
}

func siteRowOf(s *apitype.EgressSite, now time.Time) siteRow {
	r := siteRow{name: "?", state: "closed"}
	switch {
	case s.Provider != nil:
		r.name = *s.Provider
	case s.Domain != nil:
		r.name = *s.Domain
	case len(s.Hosts) > 0:
		r.name = s.Hosts[0]
	}
	var deads float64
	for i := range s.Paths {
		pa := &s.Paths[i]
		r.waiting += pa.Waiting
		r.busy += pa.Sessions.Busy
		r.idle += pa.Sessions.Idle
		r.sample += pa.Sample
		deads += pa.DeadShare * float64(pa.Sample)
		if pa.State != "closed" {
			r.state = pa.State
		}
		if pa.Waiting > 0 && r.forWhat == "" {
			r.forWhat = waitsFor(pa, now)
		}
	}
	if r.sample > 0 {
		r.dead = deads / float64(r.sample)
	}
	r.budget, r.forWhat = budgetOf(s, r.forWhat)
	return r
}

// waitsFor is what the recipients of a path wait for.
func waitsFor(pa *apitype.EgressPath, now time.Time) string {
	switch {
	case pa.State == "open" && pa.OpenUntil != nil:
		return "the breaker, until " + clockTime(*pa.OpenUntil)
	case pa.NextProbe != nil && pa.NextProbe.After(now):
		return "the rate, until " + clockTime(*pa.NextProbe)
	case pa.Sessions.Open == 0 && pa.NextDial != nil && pa.NextDial.After(now):
		return "a session, until " + clockTime(*pa.NextDial)
	}
	return ""
}

// budgetOf is the tightest budget of refusals, and what is waited for if it is spent.
func budgetOf(s *apitype.EgressSite, forWhat string) (budget, waits string) {
	budget, waits = "-", forWhat
	least := -1
	for _, b := range s.Budgets {
		if b.Refusals.Limit == nil || b.Refusals.Left == nil || least >= 0 && *b.Refusals.Left >= least {
			continue
		}
		least = *b.Refusals.Left
		budget = fmt.Sprintf("%d/%d", b.Refusals.Spent, *b.Refusals.Limit)
		if least == 0 && b.Refusals.RoomAt != nil {
			waits = "the budget of refusals, until " + clockTime(*b.Refusals.RoomAt)
		}
	}
	return budget, waits
}

// A view is one of top's tables.
type view int

const (
	bySite view = iota
	bySource
	byApp
	views
)

// title is what the view is called.
func (v view) title() string { return [...]string{"sites", "sources", "applications"}[v] }

// tableOf are the lines of a view, its heading first. before is the picture that was shown last, for rates; it may be the
// zero picture.
func tableOf(v view, p, before picture) []string {
	switch v {
	case bySource:
		return sourceTable(p)
	case byApp:
		return appTableOf(p, before)
	default:
		return siteTable(p)
	}
}

func siteTable(p picture) []string {
	out := []string{fmt.Sprintf("%-28s %6s %5s %5s %6s %8s %-7s %s", "SITE", "WAIT", "BUSY", "IDLE", "DEAD", "REFUSALS", "BREAKER", "FOR")}
	if p.Egress == nil {
		return append(out, "Sites are shown to who has the scope admin, where mail servers are asked.")
	}
	for _, r := range siteRows(p) {
		dead := "-"
		if r.sample > 0 {
			dead = fmt.Sprintf("%.0f %%", 100*r.dead)
		}
		out = append(out, fmt.Sprintf("%-28s %6d %5d %5d %6s %8s %-7s %s", clipped(printable(r.name), 28), r.waiting, r.busy, r.idle, dead, r.budget, r.state, r.forWhat))
	}
	return out
}

func sourceTable(p picture) []string {
	out := []string{fmt.Sprintf("%-14s %-10s %8s %6s %6s %s", "SOURCE", "STATE", "SESSIONS", "SITES", "LEFT", "WHY")}
	if p.Egress == nil {
		for _, s := range p.Status.Sources {
			out = append(out, fmt.Sprintf("%-14s %-10s %8d", clipped(printable(s.Name), 14), "", s.Sessions))
		}
		return out
	}
	for _, s := range p.Egress.Sources {
		left, why := "-", ""
		if s.ProbesLeft != nil {
			left = fmt.Sprint(*s.ProbesLeft)
		}
		if s.Why != nil {
			why = printable(*s.Why)
		}
		out = append(out, fmt.Sprintf("%-14s %-10s %8d %6d %6s %s", clipped(printable(s.Name), 14), s.State, s.Sessions, s.Sites, left, why))
	}
	return out
}

func appTableOf(p, before picture) []string {
	then := map[string]apitype.StatusApp{}
	for _, a := range before.Status.Apps {
		then[a.App] = a
	}
	seconds := p.At.Sub(before.At).Seconds()
	rate := func(now, then int64) string {
		if len(before.Status.Apps) == 0 || seconds <= 0 {
			return "-"
		}
		return fmt.Sprintf("%.1f", float64(now-then)/seconds)
	}
	apps := slices.Clone(p.Status.Apps)
	slices.SortStableFunc(apps, func(a, b apitype.StatusApp) int {
		of := func(x apitype.StatusApp) int64 { return x.Asked + x.Cached - then[x.App].Asked - then[x.App].Cached }
		return cmp.Or(cmp.Compare(of(b), of(a)), strings.Compare(a.App, b.App))
	})
	out := []string{fmt.Sprintf("%-14s %8s %8s %9s %9s %7s %s", "APPLICATION", "ASKED/S", "CACHED/S", "ASKED", "CACHED", "REFUSED", "QUOTA")}
	for _, a := range apps {
		b := then[a.App]
		out = append(out, fmt.Sprintf("%-14s %8s %8s %9d %9d %7d %s", clipped(printable(a.App), 14), rate(a.Asked, b.Asked), rate(a.Cached, b.Cached),
			a.Asked, a.Cached, a.Refused, tightest(a.Quotas)))
	}
	return out
}

// tightest is the quota of which the largest share is used.
func tightest(quotas []apitype.Quota) string {
	if len(quotas) == 0 {
		return "-"
	}
	q := slices.MaxFunc(quotas, func(a, b apitype.Quota) int {
		return cmp.Compare(float64(a.Used)/max(1, float64(a.Limit)), float64(b.Used)/max(1, float64(b.Limit)))
	})
	return fmt.Sprintf("%d/%d %s", q.Used, q.Limit, strings.TrimPrefix(q.Name, "per_"))
}

// clipped is s in at most width columns.
func clipped(s string, width int) string {
	r := []rune(s)
	if len(r) <= width {
		return s
	}
	if width < 1 {
		return ""
	}
	return string(r[:width-1]) + "…"
}
