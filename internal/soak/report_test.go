package soak

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// docFile has a section for each test, between two comments that name it.
const docFile = "../../docs/soak.md"

// putSection puts text into its place in docFile.
func putSection(t *testing.T, name, text string) {
	t.Helper()
	doc, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->\n"
	before, rest, ok := strings.Cut(string(doc), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for %s", docFile, name)
	}
	if err := os.WriteFile(docFile, []byte(before+begin+text+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A report is what came of TestTenMinutes.
type report struct {
	length, warm time.Duration
	samples      []sample
	idle         sample
	trends       []trend
	counts       *tally
	town         *townLog
}

func newReport(length, warm time.Duration, samples []sample, idle sample, l *load, town *townLog) *report {
	r := &report{length: length, warm: warm, samples: samples, idle: idle, counts: &l.counts, town: town}
	for i := range gauges {
		var at []time.Duration
		var values []float64
		for _, s := range samples {
			if s.at >= warm {
				at, values = append(at, s.at), append(values, s.values[i])
			}
		}
		r.trends = append(r.trends, trendOf(&gauges[i], at, values))
	}
	return r
}

// String is the report as it stands in docs/soak.md.
func (r *report) String() string {
	var b strings.Builder
	c := r.counts
	fmt.Fprintf(&b, "%v to warm up, then %v. %d questions that memory answered, %d that it did not, %d on connections of their own,\n"+
		"%d on streams, %d rows in %d jobs, %d reports of what became of messages, %d scrapes, %d looks of an operator,\n"+
		"%d reloads. The mail servers saw %d sessions and %d recipients, and no bad manners; %d answers were unknown, none was\nwrong.\n\n",
		r.warm, r.length, c.Cached.Load(), c.Fresh.Load(), c.Strange.Load(), c.Streamed.Load(), c.Rows.Load(), c.Jobs.Load(),
		c.Reports.Load(), c.Scrapes.Load(), c.Looks.Load(), c.Reloads.Load(), r.town.Counts.Sessions, r.town.Counts.Commands["RCPT"], c.Unknown.Load())
	b.WriteString("| | least | median | most | first quarter | last quarter | drift | may drift | | 15 s after the end |\n" +
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for i := range r.trends {
		t := &r.trends[i]
		word := "flat"
		if !t.flat() {
			word = "**grows**"
		}
		f := func(v float64) string { return amount(v, t.gauge.unit) }
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %+.1f | %.1f | %s | %s |\n", t.gauge.name,
			f(t.least), f(t.mid), f(t.most), f(t.first), f(t.last), t.drift, t.bound(), word, f(r.idle.values[i]))
	}
	return b.String()
}

func amount(v float64, unit string) string {
	if unit == "" {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}

// write puts the report into the document, with its plots beside it.
func (r *report) write(t *testing.T) {
	t.Helper()
	putSection(t, "ten minutes", r.String()+"\n![memory, goroutines, descriptors, threads and databases over time](soak.svg)\n")
	if err := os.WriteFile("../../docs/soak.svg", r.plots(), 0o644); err != nil {
		t.Fatal(err)
	}
}
