package soak

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
)

// TestTenDays lives through ten days, of which -race and -short leave three.
func TestTenDays(t *testing.T) {
	days := 10
	if raced || testing.Short() {
		days = 3
	}
	began := time.Now()
	var diary []page
	defer func() {
		t.Logf("%d days in %v\n%s\n%s", days, time.Since(began).Round(time.Second), diaryOf(diary), storesOf(diary))
		if *write && !t.Failed() {
			putSection(t, "ten days", diaryOf(diary)+"\n"+storesOf(diary))
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		l := newLife(t, days)
		for m := range days * 24 * 60 {
			time.Sleep(time.Until(epoch.Add(time.Duration(m) * time.Minute)))
			l.minute(m)
			if (m+1)%(24*60) == 0 {
				diary = append(diary, l.turn(m/(24*60)))
			}
		}
		l.wg.Wait()
		l.end()
		l.world.Check(t)
		l.collectLast()
		if err := l.world.Close(); err != nil {
			t.Error(err)
		}
		l.held(t)
		warmed(t, diary, l.seen)
		grown(t, diary)
		l.records(t, diary)
	})
}

// An event is something that happens at a minute.
type event struct {
	day, hour, minute int
	what              string
	do                func(*life)
}

// events of the ten days.
var calendar = []event{
	{1, 13, 0, "a stop in good order", (*life).end},
	{1, 13, 12, "a start", (*life).start},
	{1, 18, 0, "a domain moves to another mail host", (*life).move},
	{2, 8, 0, "a host refuses us", (*life).block},
	{2, 10, 7, "a kill", (*life).kill},
	{2, 10, 10, "a start", (*life).start},
	{2, 14, 0, "it no longer does", (*life).unblock},
	{3, 6, 40, "a kill, with budgets spent", (*life).kill},
	{3, 6, 41, "a start", (*life).start},
	{4, 9, 0, "b's address is gone", (*life).lose},
	{4, 15, 0, "it is back", (*life).regain},
	{5, 0, 30, "a host refuses us for 30 hours", (*life).block},
	{5, 12, 0, "a stop in good order", (*life).end},
	{5, 12, 20, "a start", (*life).start},
	{6, 6, 30, "it no longer does", (*life).unblock},
	{7, 20, 0, "a kill", (*life).kill},
	{7, 20, 1, "a start", (*life).start},
}

func (l *life) events(m int) {
	for _, e := range calendar {
		if (e.day*24+e.hour)*60+e.minute == m {
			e.do(l)
		}
	}
}

// when is the time of an event.
func (e *event) when() time.Time {
	return epoch.Add(time.Duration(e.day)*day + time.Duration(e.hour)*time.Hour + time.Duration(e.minute)*time.Minute)
}

func (l *life) change(say map[string]mailworld.Reply) {
	if err := l.world.Change(blockHost, func(h *mailworld.Host) { h.Replies = say }); err != nil {
		l.t.Error(err)
	}
}

func (l *life) block() {
	l.change(map[string]mailworld.Reply{"MAIL": mailworld.Say(554, "5.7.1 Service unavailable; Client host [{ip}] blocked using zen.spamhaus.org")})
}

func (l *life) unblock() { l.change(nil) }

func (l *life) move() {
	l.world.ChangeDomain(movingDomain, func(d *mailworld.Domain) { d.MX = mailworld.MXs(newHost) })
}

func (l *life) lose()   { l.away(true) }
func (l *life) regain() { l.away(false) }

func (l *life) away(gone bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = gone
	l.world.Unplug(sourceAddr(1), gone)
}

// turn is the end of a day.
func (l *life) turn(n int) page {
	time.Sleep(59 * time.Second)
	synctest.Wait()
	l.listed()
	return l.page(n)
}

// collectLast takes down what is left when nothing is under way any more.
func (l *life) collectLast() {
	for _, s := range l.world.TakeSessions() {
		l.seen.hear(&s)
	}
	l.seen.judge()
}

// held looks at the times of those whose times are a tale of their own.
func (l *life) held(t *testing.T) {
	const tick = 30 * time.Minute // How often they are asked.
	for _, w := range []struct {
		who  string
		ages time.Duration
	}{
		{"u0@" + witnessDomain, 7 * day},
		{"u6@" + witnessDomain, 12 * time.Hour},
		{"full@" + witnessDomain, 6 * time.Hour},
		{"disabled@" + witnessDomain, day},
		{"u0@" + witnessAll, day},
	} {
		l.spaced(w.who, gaps(l.seen.tales[w.who]), l.seen.tales[w.who], w.ages, tick+time.Minute)
	}
	for name, age := range map[string]time.Duration{halfHourName: 30 * time.Minute, dayName: 6 * time.Hour} {
		var vs []visit
		for _, at := range l.queries[name] {
			vs = append(vs, visit{at: at})
		}
		l.spaced("the MX of "+name, gaps(vs), vs, age, 11*time.Minute)
	}
	for i := range greylists {
		l.putOff(&greylists[i])
	}
	l.moved(t)
	for _, addr := range []netip.Addr{sourceAddr(0), sourceAddr(1)} {
		l.blocked(addr)
	}
	for _, h := range l.world.Harvested(harvestHost) {
		if h.Beyond > 0 {
			t.Errorf("%s: %d recipients were named beyond its limit", harvestHost, h.Beyond)
		}
	}
}

// spaced wants somebody to be asked about again when the memory of the last time is old, and not before.
func (l *life) spaced(who string, between []time.Duration, vs []visit, age, late time.Duration) {
	if len(vs) == 0 {
		l.t.Errorf("%s was never asked about", who)
		return
	}
	for i, gap := range between {
		if slack := l.down(vs[i].at, vs[i+1].at); gap < age || gap > age+late+slack {
			l.t.Errorf("%s was asked about again after %v, at %v, want %v, or up to %v later", who, gap, vs[i+1].at, age, late+slack)
			return
		}
	}
	if since := time.Since(vs[len(vs)-1].at); since > age+late+time.Hour {
		l.t.Errorf("%s was asked about %v ago, want it to be no longer than %v", who, since, age+late)
	}
}

// putOff holds the visits of those who were put off to the schedule of their tickets.
func (l *life) putOff(g *greylist) {
	found := 0
	for who, vs := range l.seen.tales {
		if !strings.HasSuffix(who, "@"+domainOf(g.host, 0)) {
			continue
		}
		found++
		for i, gap := range gaps(vs) {
			if vs[i+1].from != vs[i].from {
				l.t.Errorf("%s was visited from %v, and then from %v", who, vs[i].from, vs[i+1].from)
			}
			if i >= len(g.visits) {
				break
			}
			want := g.visits[i]
			if slack := 2*time.Minute + l.down(vs[i].at, vs[i+1].at) + l.lost(vs[i].at, vs[i+1].at); gap < want || gap > want+slack {
				l.t.Errorf("%s: visit %d came %v after the one before (%v), want %v, or up to %v later", who, i+2, gap, vs[i], want, slack)
			}
		}
		last := vs[len(vs)-1]
		if since := time.Since(last.at); g.settle > 0 && last.code != 250 && since > g.settle+time.Hour && l.lost(last.at, time.Now()) == 0 {
			l.t.Errorf("%s was put off %v ago, and never visited again", who, since)
		}
	}
	if found < 3 {
		l.t.Errorf("%s has put %d recipients off, want more to look at", g.host, found)
	}
}

// lost is how much of a time b was gone.
func (l *life) lost(from, to time.Time) time.Duration {
	gone := span{from: calendarTime((*event).when, "b's address is gone"), to: calendarTime((*event).when, "it is back").Add(2 * time.Hour)}
	if gone.from.Before(to) && gone.to.After(from) {
		return gone.to.Sub(gone.from)
	}
	return 0
}

func calendarTime(when func(*event) time.Time, what string) time.Time {
	i := slices.IndexFunc(calendar, func(e event) bool { return e.what == what })
	return when(&calendar[i])
}

// moved wants a domain to be asked at its new host once its records are old, and not before.
func (l *life) moved(t *testing.T) {
	at := calendarTime((*event).when, "a domain moves to another mail host")
	for _, v := range l.seen.tales["u0@"+movingDomain] {
		switch {
		case v.host == newHost && v.at.Before(at), v.host == oldHost && v.at.Sub(at) > time.Hour+time.Minute:
			t.Errorf("%s was asked at %s at %v; it moved at %v", movingDomain, v.host, v.at, at)
		}
	}
}

// blocked holds the times at which a host was tried that refused us to those of the breaker.
func (l *life) blocked(addr netip.Addr) {
	opens := []time.Duration{15 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour, 12 * time.Hour}
	vs := l.seen.turned[addr]
	slices.SortFunc(vs, func(a, b visit) int { return a.at.Compare(b.at) })
	n := 0 // Refusals in a row.
	var last time.Time
	for _, v := range vs {
		gap, slack := v.at.Sub(last), time.Hour+l.down(last, v.at)+l.lost(last, v.at)
		if want := opens[min(max(n-1, 0), len(opens)-1)]; n > 0 && gap > time.Minute && (gap < want || gap > want+slack) {
			l.t.Errorf("%s from %v: tried again %v after refusal %d, at %v, want %v, or up to %v later", blockHost, addr, gap, n, v.at, want, slack)
		}
		switch {
		case v.code == 250:
			n = 0
		case n == 0 || gap > time.Minute: // Transactions of one moment are refused together.
			last, n = v.at, n+1
		}
	}
	if len(vs) == 0 {
		l.t.Errorf("%s was never asked from %v", blockHost, addr)
	}
}
