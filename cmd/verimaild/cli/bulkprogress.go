package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

// follow shows how a job gets on until it has ended, and returns it.
func follow(ctx context.Context, w io.Writer, c *client.Client, id string) (apitype.Job, error) {
	p := newProgress(w)
	var last apitype.Job
	for job, err := range c.WatchJob(ctx, id) {
		if err != nil {
			p.end()
			return last, err
		}
		last = job
		p.show(&job, time.Now())
		if ended(job.State) {
			break
		}
	}
	p.end()
	return last, nil
}

func ended(state string) bool {
	switch state {
	case apitype.JobFinished, apitype.JobCancelled, apitype.JobFailed, apitype.JobDeleting:
		return true
	default:
		return false
	}
}

// A progress shows how a job gets on: as a bar on a terminal, else as a line now and then.
type progress struct {
	w     io.Writer
	width int // Of the terminal; 0 if there is none.
	bar   *progressbar.ProgressBar
	said  time.Time // When the last line was printed.
	share int64     // The tenth of the rows that it told of.
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, share: -1}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return p
	}
	p.width = usualWidth
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		p.width = max(2*barWidth, width)
	}
	return p
}

// lineEvery is how often a line is printed if nothing much has changed.
const lineEvery = 30 * time.Second

// show shows a job's progress.
func (p *progress) show(j *apitype.Job, now time.Time) {
	if p.width > 0 {
		p.showBar(j)
		return
	}
	share := int64(0)
	if j.Rows > 0 {
		share = 10 * j.Done / j.Rows
	}
	if share == p.share && now.Sub(p.said) < lineEvery {
		return
	}
	p.share, p.said = share, now
	fmt.Fprintln(p.w, progressLine(j))
}

// Widths in columns: of the bar itself where there is room, and of a terminal that does not say.
const (
	barWidth   = 24
	usualWidth = 80
)

func (p *progress) showBar(j *apitype.Job) {
	if p.bar == nil {
		p.bar = progressbar.NewOptions64(-1,
			progressbar.OptionSetWriter(p.w), progressbar.OptionSetWidth(p.barColumns()), progressbar.OptionSetPredictTime(false),
			progressbar.OptionSetElapsedTime(false), progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionClearOnFinish(),
			progressbar.OptionSetTheme(progressbar.Theme{Saucer: "█", SaucerHead: "█", SaucerPadding: "░", BarStart: "", BarEnd: ""}),
		)
	}
	if j.Rows > 0 && p.bar.GetMax64() != j.Rows {
		p.bar.ChangeMax64(j.Rows)
	}
	// " 100% " and the bar stand behind the words.
	p.bar.Describe(fit(progressLine(j), p.width-p.barColumns()-10))
	_ = p.bar.Set64(min(j.Done, max(0, j.Rows-1))) // As with every write to the terminal. The end is shown by the summary.
}

// barColumns is how long the bar is: on a narrow terminal the words need the room more.
func (p *progress) barColumns() int { return min(barWidth, p.width/8) }

// end takes the bar away.
func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Clear() // As above.
	}
}

// fit cuts s to a number of columns.
func fit(s string, columns int) string {
	if utf8.RuneCountInString(s) <= columns {
		return s
	}
	runes := []rune(s)
	return string(runes[:max(0, columns-1)]) + "…"
}

// progressLine is a job's progress in words, with what most rows wait for.
func progressLine(j *apitype.Job) string {
	if len(j.Progress.Holds) == 0 || j.State != apitype.JobRunning {
		return progressWords(j)
	}
	return progressWords(j) + " · " + holdLine(&j.Progress.Holds[0])
}

// progressWords is a job's progress in words.
func progressWords(j *apitype.Job) string {
	switch j.State {
	case apitype.JobPreparing:
		return "Sorting the list …"
	case apitype.JobPaused:
		return fmt.Sprintf("Paused at %s of %s rows", grouped(j.Done), grouped(j.Rows))
	}
	parts := []string{fmt.Sprintf("%s of %s rows", grouped(j.Done), grouped(j.Rows))}
	p := &j.Progress
	if p.Rate >= 0.05 && !ended(j.State) {
		parts = append(parts, fmt.Sprintf("%s/s", rate(p.Rate)))
	}
	if p.LeftS != nil && *p.LeftS > 0 && !ended(j.State) {
		parts = append(parts, span(time.Duration(*p.LeftS)*time.Second)+" left")
	}
	if j.Problem != "" {
		parts = append(parts, printable(j.Problem))
	}
	if j.Waiting > 0 && !ended(j.State) {
		parts = append(parts, putOffLine(j, time.Now()))
	}
	return strings.Join(parts, " · ")
}

// holdLine says what rows wait for.
func holdLine(h *apitype.JobHold) string {
	from := ""
	if h.Source != "" {
		from = " on source " + printable(h.Source)
	}
	rows := counted(h.Rows, "row waits", "rows wait")
	return fmt.Sprintf("%s for %s%s until %s", rows, holdWords(h), from, untilWhen(h.Until.Local(), time.Now()))
}

// putOffLine says how many rows were put off, and for how long.
func putOffLine(j *apitype.Job, now time.Time) string {
	line := grouped(j.Waiting) + " put off"
	if next := j.Progress.NextRetryAt; next.After(now) {
		line += ", asked again from " + untilWhen(next.Local(), now)
	}
	return line
}

// limitWords says what each limit is to somebody who waits for it.
var limitWords = map[string]string{
	"refusals_per_hour": "hourly budget", "probes_per_minute": "pace", "refusal_ratio": "pace (many are dead there)",
	"sessions_per_hour": "hourly sessions", "dial_interval": "pace", "probes_per_day": "daily warm-up allowance",
	"breaker": "cool-down after a refusal",
}

// holdWords is what is waited for.
func holdWords(h *apitype.JobHold) string {
	site := printable(h.Site)
	switch words := limitWords[h.Limit]; {
	case words != "":
		return site + "'s " + words
	case h.Reason == "budget_exhausted":
		return site + "'s budget"
	default:
		return fmt.Sprintf("%s (%s)", site, strings.ReplaceAll(h.Reason, "_", " "))
	}
}

// untilWhen is a time as short as it can be told.
func untilWhen(t, now time.Time) string {
	switch d := t.Sub(now); {
	case d > 20*time.Hour:
		return t.Format("2 Jan 15:04")
	case d > 5*time.Minute:
		return t.Format("15:04")
	default:
		return t.Format("15:04:05")
	}
}

func rate(r float64) string {
	if r >= 10 {
		return grouped(int64(r + 0.5))
	}
	return fmt.Sprintf("%.1f", r)
}

// span is a time for a person.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()+0.5))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()+0.5))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d days", int(d.Hours()/24+0.5))
	}
}

// counted is a number with its noun, whose plural takes an s or es.
func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return grouped(n) + " " + many
}

// grouped is a number with commas.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
