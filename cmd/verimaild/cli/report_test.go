package cli

import (
	"fmt"
	"image/color"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// reported is a job with some of everything, and a name that wants to be more than text.
func reported() *apitype.Job {
	v := apitype.VerdictCounts{Deliverable: 700, Risky: 120, Undeliverable: 100, Unknown: 80}
	return &apitype.Job{
		ID: "06h0jw7wrg2gr717hfca", Name: `<script>alert("x")</script> a-very-long-name-without-any-blank-in-it-` + strings.Repeat("x", 80) + ".csv",
		State: apitype.JobFinished, Rows: 1000, Addresses: 990, Domains: 210, Done: 1000, AcceptAll: 110, Verdicts: v,
		Reasons: []apitype.JobReason{
			{Reason: "mailbox_accepted", Verdict: "deliverable", Rows: 700},
			{Reason: "accepted_catch_all", Verdict: "risky", Rows: 120},
			{Reason: "mailbox_not_found", Verdict: "undeliverable", Rows: 100},
			{Reason: "provider_unverifiable", Verdict: "unknown", Rows: 80},
		},
		Providers: []apitype.JobProvider{{Verdicts: apitype.VerdictCounts{Deliverable: 700, Risky: 120, Undeliverable: 100}}, {Provider: "yahoo", Verdicts: apitype.VerdictCounts{Unknown: 80}}},
		Bounces: []apitype.JobBounce{
			{Rows: 1000, Low: 0.09, Likely: 0.12, High: 0.16},
			{Drop: []string{"undeliverable", "unknown", "risky"}, Rows: 700, Likely: 0.005, High: 0.02},
		},
		Method: "As estimated.", Worst: []apitype.JobDomain{{Domain: strings.Repeat("long.", 40) + "test", Rows: 40, Undeliverable: 39}},
		CreatedAt: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), EndedAt: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC),
	}
}

// TestReport: what others have written stays text, and the page needs nothing else.
func TestReport(t *testing.T) {
	for _, tt := range []struct {
		name string
		job  *apitype.Job
		want string
	}{
		{"some of everything", reported(), "70.0 %"},
		{"nothing done", &apitype.Job{ID: "x", State: apitype.JobPaused, Rows: 5}, "5 rows have no outcome yet"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b strings.Builder
			if err := writeReport(&b, tt.job); err != nil {
				t.Fatal(err)
			}
			page := b.String()
			if !strings.Contains(page, tt.want) || !strings.HasSuffix(page, "</html>\n") {
				t.Errorf("the page lacks %q or its end", tt.want)
			}
			for _, bad := range []string{"<script", "ZgotmplZ", "NaN", "Inf", "http:", "https:", "url(", "@import"} {
				if strings.Contains(page, bad) {
					t.Errorf("the page has %q", bad)
				}
			}
		})
	}
}

// TestReportInBrowser opens the page in Chromium, narrow and wide: nothing is said on the console, nothing sticks out at
// the side, and every verdict's colour is drawn.
func TestReportInBrowser(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("there is no chromium")
	}
	dir := t.TempDir()
	var b strings.Builder
	if err := writeReport(&b, reported()); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(dir, "report.html")
	if err := os.WriteFile(page, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	measured := filepath.Join(dir, "measured.html")
	measure := `<script>document.title = "width " + document.documentElement.scrollWidth + " of " + innerWidth</script></body>`
	if err := os.WriteFile(measured, []byte(strings.Replace(b.String(), "</body>", measure, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	browse := func(args ...string) string {
		args = append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr", "--user-data-dir=" + dir}, args...)
		out, err := exec.Command(chromium, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("chromium: %v\n%s", err, out)
		}
		if strings.Contains(string(out), "CONSOLE") {
			t.Errorf("the console says:\n%s", out)
		}
		return string(out)
	}
	for _, width := range []int{400, 1400} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			size := fmt.Sprintf("--window-size=%d,3000", width)
			shot := filepath.Join(dir, fmt.Sprintf("%d.png", width))
			browse(size, "--screenshot="+shot, "file://"+page)
			drawn := colours(t, shot)
			for name, c := range map[string]color.NRGBA{
				"deliverable": {0x2e, 0x7d, 0x4f, 0xff}, "risky": {0xb9, 0x7a, 0x00, 0xff},
				"undeliverable": {0xb3, 0x37, 0x2f, 0xff}, "unknown": {0x66, 0x70, 0x85, 0xff},
			} {
				if drawn[c] < 500 {
					t.Errorf("%s has %d pixels, want charts to show it", name, drawn[c])
				}
			}
			m := regexp.MustCompile(`<title>width (\d+) of (\d+)`).FindStringSubmatch(browse(size, "--dump-dom", "file://"+measured))
			if m == nil || m[1] != m[2] {
				t.Errorf("the page is as wide as %v, want nothing to stick out", m)
			}
		})
	}
}

// colours counts a picture's pixels.
func colours(t *testing.T, path string) map[color.NRGBA]int {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	out := map[color.NRGBA]int{}
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			out[color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)]++
		}
	}
	return out
}
