package cli

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

//go:embed report.html
var reportPage string

// A reportData is what the page shows of a job.
type reportData struct {
	Job         *apitype.Job
	Title, Took string
	Complete    bool
	Left        int64
	Verdicts    []reportSlice
	AcceptAll   []reportSlice
	Reasons     []reportBar
	Providers   []reportProvider
	Bounces     []reportBounce
	Lost        int64
}

// A reportSlice is one part of a ring.
type reportSlice struct {
	Name, Class, What string
	Rows              int64
	Share             float64 // 0 to 1.
	Start             float64 // Where it begins on the ring, 0 to 1.
}

// A reportBar is one bar; Width is in percent of the longest.
type reportBar struct {
	Name, Class string
	Rows        int64
	Share       float64
	Start       float64 // Where it begins, in the same measure as Width.
	Width       float64
}

// A reportProvider is one bar of parts.
type reportProvider struct {
	Name  string
	Rows  int64
	Share float64
	Parts []reportBar // Each with its Width in percent of the longest provider's.
}

// A reportBounce is one row of the estimates; its places are in percent of the scale.
type reportBounce struct {
	apitype.JobBounce
	Name           string
	From, Wide, At float64
	Limit          float64
	Above          bool
}

// writeReport writes a page about a job, which needs nothing else: no script, no other file.
func writeReport(w io.Writer, j *apitype.Job) error {
	page, err := template.New("report").Funcs(template.FuncMap{
		"grouped": grouped, "percent": percent, "ring": ring, "words": func(s string) string { return strings.ReplaceAll(s, "_", " ") },
		"date": func(t time.Time) string { return t.Local().Format("2 January 2006, 15:04") },
	}).Parse(reportPage)
	if err != nil {
		return err
	}
	return page.Execute(w, newReport(j))
}

// verdictWords says what each verdict means to somebody who wants to send.
var verdictWords = map[string]string{
	apitype.Deliverable:   "Mail arrives. Send.",
	apitype.Risky:         "Accepted, with something to be said against relying on it. Decide by the reason.",
	apitype.Undeliverable: "Mail bounces. Do not send.",
	apitype.Unknown:       "Could not be found out. Ask again later; do not delete.",
}

func newReport(j *apitype.Job) *reportData {
	d := &reportData{Job: j, Title: j.Name, Complete: j.State == apitype.JobFinished, Left: j.Rows - j.Done, Lost: unverifiable(j)}
	if d.Title == "" {
		d.Title = "Job " + j.ID
	}
	if !j.EndedAt.IsZero() {
		d.Took = span(j.EndedAt.Sub(j.CreatedAt))
	}
	start := 0.0
	for _, v := range verdicts {
		s := reportSlice{Name: v, Class: v, What: verdictWords[v], Rows: count(&j.Verdicts, v), Start: start}
		s.Share = share(s.Rows, j.Done)
		start += s.Share
		d.Verdicts = append(d.Verdicts, s)
	}
	all := share(j.AcceptAll, j.Done)
	d.AcceptAll = []reportSlice{
		{Name: "at domains that accept every recipient", Class: apitype.Risky, Rows: j.AcceptAll, Share: all},
		{Name: "at all others", Class: "other", Rows: j.Done - j.AcceptAll, Share: 1 - all, Start: all},
	}
	for _, r := range j.Reasons {
		d.Reasons = append(d.Reasons, reportBar{
			Name: r.Reason, Class: r.Verdict, Rows: r.Rows, Share: share(r.Rows, j.Done), Width: 100 * share(r.Rows, j.Reasons[0].Rows),
		})
	}
	d.Providers, d.Bounces = reportProviders(j), reportBounces(j)
	return d
}

// providersShown bounds how many providers the page has.
const providersShown = 12

func reportProviders(j *apitype.Job) []reportProvider {
	var out []reportProvider
	for _, p := range j.Providers[:min(providersShown, len(j.Providers))] {
		longest := j.Providers[0].Verdicts.Sum()
		row := reportProvider{Name: p.Provider, Rows: p.Verdicts.Sum(), Share: share(p.Verdicts.Sum(), j.Done)}
		if row.Name == "" {
			row.Name = "all others"
		}
		start := 0.0
		for _, v := range verdicts {
			part := reportBar{Name: v, Class: v, Rows: count(&p.Verdicts, v), Start: start}
			part.Width = 100 * share(part.Rows, longest)
			start += part.Width
			row.Parts = append(row.Parts, part)
		}
		out = append(out, row)
	}
	return out
}

// reportBounces puts the estimates on a scale that ends at the highest of them, and not below four per cent.
func reportBounces(j *apitype.Job) []reportBounce {
	scale := 2 * bounceLimit
	for _, b := range j.Bounces {
		scale = max(scale, b.High)
	}
	var out []reportBounce
	for _, b := range j.Bounces {
		out = append(out, reportBounce{
			JobBounce: b, Name: dropped(b.Drop), From: 100 * b.Low / scale, Wide: 100 * (b.High - b.Low) / scale, At: 100 * b.Likely / scale,
			Limit: 100 * bounceLimit / scale, Above: b.Likely > bounceLimit,
		})
	}
	return out
}

// ring is the attributes of a circle of radius 15.9155, whose way round is 100, that draw one part of it.
func ring(s reportSlice) template.HTMLAttr {
	return template.HTMLAttr(fmt.Sprintf(`stroke-dasharray="%.3f %.3f" stroke-dashoffset="%.3f"`, 100*s.Share, 100-100*s.Share, 25-100*s.Start)) //nolint:gosec // G203: the numbers are ours.
}
