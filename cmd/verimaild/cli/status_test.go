package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// busyPicture is of a daemon with much to do, and some trouble.
func busyPicture() picture {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.Local)
	google := "google"
	return picture{
		At: at,
		Status: apitype.Status{
			Ready: true, Version: "v1.2.3", UptimeS: 7384,
			Problems: []apitype.Problem{{Code: "source_unfit", Message: "b: its PTR is missing"}},
			Work:     apitype.StatusWork{Waiting: 41, Sites: 2, SessionsBusy: 3, SessionsIdle: 1, Connections: 1, Streams: 2, SpoolBytes: 65536},
			Rates:    apitype.StatusRates{Asked: 100, Cached: 300, Refused: 5, Recipients: 80, Refusals: 20, Sessions: 9},
			Cache:    &apitype.StatusCache{Entries: 1204, Bytes: 981332, DiskBytes: 3280896, HitRate: new(0.97)},
			Apps: []apitype.StatusApp{
				{App: "default", Asked: 4},
				{App: "signup", Asked: 812, Cached: 2312, Refused: 5, Quotas: []apitype.Quota{{Name: "per_day", Limit: 1000, Used: 812}}},
			},
		},
		Egress: &apitype.Egress{
			Sources: []apitype.EgressSource{
				{Name: "a", State: "fit", Sessions: 4, Sites: 2, ProbesLeft: new(120)},
				{Name: "b", State: "unfit", Why: new("its PTR is missing")},
			},
			Sites: []apitype.EgressSite{
				{
					Hosts: []string{"mx1.a-very-long-name-of-a-mail-host.example.net"},
					Paths: []apitype.EgressPath{{Source: "a", State: "closed", Waiting: 1, Sessions: apitype.EgressSessions{Open: 1, Busy: 1}}},
				},
				{
					Provider: &google,
					Budgets:  []apitype.EgressBudget{{Refusals: apitype.EgressAllowance{Limit: new(15), Spent: 15, Left: new(0), RoomAt: new(at.Add(time.Minute))}}},
					Paths: []apitype.EgressPath{{
						Source: "a", State: "slow", Waiting: 40, Sessions: apitype.EgressSessions{Open: 3, Busy: 2, Idle: 1}, DeadShare: 0.3, Sample: 50,
					}},
				},
			},
		},
		Jobs: []apitype.Job{{Name: "list.csv", State: apitype.JobRunning, Done: 10, Rows: 100, Progress: apitype.JobProgress{LeftS: new(int64(90))}}},
	}
}

func TestRenderStatus(t *testing.T) {
	var out strings.Builder
	renderStatus(&out, busyPicture())
	const want = `verimaild v1.2.3: ready, with warnings, up 2h03m
  source_unfit: b: its PTR is missing

sources       a            fit       4 sessions at 2 sites, 120 questions left today
              b            unfit     0 sessions at 0 sites: its PTR is missing
work          41 recipients waiting; 3 sessions busy, 1 idle, at 2 sites
              1 connection from applications, 2 streams (65.5 kB read ahead)
              40 recipients for google: the budget of refusals, until 09:01:00
last minute   400 answers, 75 % from memory; 5 addresses refused by quotas
              80 recipients asked about in 9 new sessions, 25 % of them refused
memory        1204 records (981.3 kB), 3.3 MB on disk, hit rate 97 %
applications  default      4 asked, 0 from memory, 0 refused
              signup       812 asked, 2312 from memory, 5 refused; 812/1000 per day
jobs          list.csv     running, 10 of 100 rows, about 1m30s to go
`
	if out.String() != want {
		t.Errorf("renderStatus() =\n%s\nwant\n%s", out.String(), want)
	}
}

// TestTopFits: a screen has the size of its terminal, whatever there is to show, and the keys choose the table.
func TestTopFits(t *testing.T) {
	now := busyPicture()
	for i := range 100 {
		now.Egress.Sites = append(now.Egress.Sites, apitype.EgressSite{Hosts: []string{strings.Repeat("x", i+1)}})
	}
	before := busyPicture()
	before.At = before.At.Add(-2 * time.Second)
	before.Status.Apps = []apitype.StatusApp{{App: "default", Asked: 4}, {App: "signup", Asked: 800, Cached: 2112}}
	s := &screen{now: now, before: before}
	for _, size := range [][2]int{{80, 24}, {200, 60}, {20, 5}, {1, 1}} {
		for _, k := range []string{"s", "j", "\x1b[B", "k", "o", "a", "\t", "?"} {
			if !s.key(k) {
				t.Fatalf("the key %q ends top", k)
			}
			lines := s.lines(size[0], size[1])
			if len(lines) > size[1] {
				t.Errorf("%d lines for a height of %d", len(lines), size[1])
			}
			for _, line := range lines {
				if n := len([]rune(line)); n > size[0] {
					t.Errorf("a line of %d columns for a width of %d: %q", n, size[0], line)
				}
			}
		}
	}
	s.key("a")
	screen := strings.Join(s.lines(80, 24), "\n")
	for _, want := range []string{"APPLICATION", "signup              6.0    100.0       812      2312       5 812/1000 day", "applications of 2"} {
		if !strings.Contains(screen, want) {
			t.Errorf("the applications lack %q:\n%s", want, screen)
		}
	}
	s.key("s")
	screen = strings.Join(s.lines(80, 24), "\n")
	if want := "google                           40     2     1   30 %    15/15 slow    the b"; !strings.Contains(screen, want) {
		t.Errorf("the sites lack %q:\n%s", want, screen)
	}
	for _, k := range []string{"q", "\x03", "\x1b"} {
		if s.key(k) {
			t.Errorf("the key %q does not end top", k)
		}
	}
}
