package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

func TestRenderUsage(t *testing.T) {
	day := apitype.UsageCounts{
		Charged: 9, Refused: 2,
		Asked:  apitype.VerdictCounts{Deliverable: 5, Unknown: 4},
		Cached: apitype.VerdictCounts{Deliverable: 30, Risky: 1},
	}
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	var out strings.Builder
	renderUsage(&out, &apitype.Usage{From: "2026-11-01", To: "2026-11-23", Apps: []apitype.AppUsage{
		{App: "default", Total: apitype.UsageCounts{}},
		{
			App: "signup", Days: []apitype.DayUsage{{Date: "2026-11-23", UsageCounts: day}}, Total: day,
			Quotas: []apitype.Quota{{Name: "per_day", Limit: 100, Used: 9, ResetsAt: &at}, {Name: "concurrent", Limit: 4}},
		},
	}}, true)
	const want = `2026-11-01 to 2026-11-23

        APPLICATION  DELIVERABLE  RISKY  UNDELIVERABLE  UNKNOWN  FROM MEMORY  CHARGED  REFUSED
            default            0      0              0        0            0        0        0
  signup 2026-11-23           35      1              0        4           31        9        2
             signup           35      1              0        4           31        9        2

signup
  per day     9 of 100 used; all of it again 2026-11-24T00:00:00Z
  concurrent  0 of 4 used
`
	if out.String() != want {
		t.Errorf("renderUsage() =\n%s\nwant\n%s", out.String(), want)
	}
}
