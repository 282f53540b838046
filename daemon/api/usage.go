package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/internal/store"
)

// A usageQuery is what GET /v1/usage is asked for.
type usageQuery struct {
	app      string // "" is all.
	from, to day    // Both are in it. 0 is not said.
}

var usageFields = []field[usageQuery]{
	{name: "app", set: func(q *usageQuery, s string) error { q.app = s; return nil }},
	{name: "from", set: func(q *usageQuery, s string) (err error) { q.from, err = parseDay(s); return err }},
	{name: "to", set: func(q *usageQuery, s string) (err error) { q.to, err = parseDay(s); return err }},
}

// parseDay reads a date.
func parseDay(s string) (day, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 2000 {
		return 0, fmt.Errorf("is %s, and must be a date such as 2026-11-23", quote(s))
	}
	return dayOf(t), nil
}

// usage is GET /v1/usage. Who is no admin sees its own application only.
func (s *Server) usage(c *call) error {
	if c.caller.refused != "" {
		return c.caller.need(ScopeVerify)
	}
	var q usageQuery
	if err := readQuery(c.r.URL.RawQuery, usageFields, &q); err != nil {
		return err
	}
	if q.app == "" && c.caller.Scopes&ScopeAdmin == 0 {
		q.app = c.caller.App
	}
	if !c.caller.owns(q.app) {
		return c.caller.need(ScopeAdmin)
	}
	today := dayOf(s.accounts.now())
	if q.to == 0 {
		q.to = max(today, q.from)
	}
	if q.from == 0 {
		q.from = q.to.firstOfMonth()
	}
	if q.to < q.from {
		return fail(apitype.CodeInvalidField, "The query parameter \"to\" is %v, which is before %v.", q.to, q.from)
	}
	out, err := s.accounts.usage(q)
	if err != nil {
		return err
	}
	c.sendJSON(http.StatusOK, out)
	return nil
}

// usage is what was asked on the days of q.
func (a *Accounts) usage(q usageQuery) (apitype.Usage, error) {
	out := apitype.Usage{From: q.from.String(), To: q.to.String(), Apps: []apitype.AppUsage{}}
	byApp, err := a.counts(q)
	if err != nil {
		return out, err
	}
	t := a.table.Load()
	for _, acc := range a.all() {
		if q.app != "" && q.app != acc.name {
			continue
		}
		u := apitype.AppUsage{App: acc.name, Quotas: []apitype.Quota{}, Days: []apitype.DayUsage{}}
		if m := t.byName[acc.name]; m != nil {
			u.Quotas = m.quotas(a.now())
		}
		var total dayCount
		for _, d := range byApp[acc.name] {
			total.add(&d.count)
			u.Days = append(u.Days, apitype.DayUsage{Date: d.day.String(), UsageCounts: wireCounts(&d.count)})
		}
		u.Total = wireCounts(&total)
		if len(u.Days) > 0 || len(u.Quotas) > 0 || q.app != "" {
			out.Apps = append(out.Apps, u)
		}
	}
	return out, nil
}

// counts is what was counted on the days of q, by application, the earliest first. What is not stored yet is newer than
// what is.
func (a *Accounts) counts(q usageQuery) (map[string][]storedDay, error) {
	out := map[string][]storedDay{}
	fresh := map[string][]storedDay{}
	for _, acc := range a.all() {
		fresh[acc.name] = acc.unstored()
	}
	for item, err := range a.stored(q.app) {
		app, d, ok := splitDayKey(item.Key)
		switch {
		case store.IsBad(err), err == nil && !ok:
			continue
		case err != nil:
			return nil, err
		}
		isDay := func(s storedDay) bool { return s.day == d }
		if d >= q.from && d <= q.to && !slices.ContainsFunc(fresh[app], isDay) {
			out[app] = append(out[app], storedDay{d, item.Value})
		}
	}
	for app, days := range fresh {
		for _, d := range days {
			if d.day >= q.from && d.day <= q.to && d.count != (dayCount{}) {
				out[app] = append(out[app], d)
			}
		}
		slices.SortFunc(out[app], func(x, y storedDay) int { return int(x.day - y.day) })
	}
	return out, nil
}

// stored visits the stored counts of an application, or of all for "".
func (a *Accounts) stored(app string) func(func(store.Item[dayCount], error) bool) {
	switch {
	case a.days == nil:
		return func(func(store.Item[dayCount], error) bool) {}
	case app == "" || strings.Contains(app, "\x00"):
		return a.days.Scan(store.Range{})
	default:
		return a.days.Scan(store.Range{Prefix: append([]byte(app), 0)})
	}
}

// unstored is what is counted of today, and of days before that are not stored.
func (a *account) unstored() []storedDay {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append(slices.Clone(a.past), storedDay{a.day, a.today})
}

// quotas is m's limits and what is used of them at t.
func (m *member) quotas(t time.Time) []apitype.Quota {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.roll(t)
	out := []apitype.Quota{}
	add := func(name string, limit *int, used uint64, resets time.Time) {
		if limit == nil {
			return
		}
		q := apitype.Quota{Name: name, Limit: int64(*limit), Used: int64(used)} //nolint:gosec // G115: a count.
		if !resets.IsZero() {
			resets = resets.UTC()
			q.ResetsAt = &resets
		}
		out = append(out, q)
	}
	if per := m.Quota.PerMinute; per != nil {
		full := m.rate.due
		if full.Before(t) {
			full = t
		}
		add("per_minute", per, uint64(m.rate.usedAt(t, *per)), full.Truncate(time.Millisecond)) //nolint:gosec // G115: not negative.
	}
	add("per_day", m.Quota.PerDay, m.today.Charged, (m.day + 1).start())
	add("per_month", m.Quota.PerMonth, m.month+m.today.Charged, m.day.nextMonth().start())
	add("concurrent", m.Quota.Concurrent, uint64(m.asking), time.Time{}) //nolint:gosec // G115: not negative.
	return out
}

func wireCounts(c *dayCount) apitype.UsageCounts {
	verdicts := func(n *[verdicts]uint64) apitype.VerdictCounts {
		return apitype.VerdictCounts{
			Deliverable: int64(n[0]), Risky: int64(n[1]), Undeliverable: int64(n[2]), Unknown: int64(n[3]), //nolint:gosec // G115: counts.
		}
	}
	return apitype.UsageCounts{
		Charged: int64(c.Charged), Refused: int64(c.Refused), Asked: verdicts(&c.Asked), Cached: verdicts(&c.Cached), //nolint:gosec // G115: counts.
	}
}
