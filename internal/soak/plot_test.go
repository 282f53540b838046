package soak

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

// The measures of a plot, in pixels.
const (
	plotWidth, plotHeight = 760, 120
	plotLeft, plotTop     = 70, 30
	plotRight, plotBottom = 10, 20
)

// plots draws each gauge over time, one below the other. The time of warming up is grey. Each plot begins at zero, so
// that what looks flat is.
func (r *report) plots() []byte {
	var b bytes.Buffer
	height := len(gauges)*plotHeight + plotBottom
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", plotWidth, height)
	for i := range gauges {
		r.plot(&b, i)
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (r *report) plot(b *bytes.Buffer, i int) {
	g, span := &gauges[i], r.samples[len(r.samples)-1].at
	top, bottom := i*plotHeight+plotTop, (i+1)*plotHeight
	most := 0.0
	for _, s := range r.samples {
		most = max(most, s.values[i])
	}
	most = max(most*1.05, 1)
	x := func(at time.Duration) float64 {
		return plotLeft + float64(plotWidth-plotLeft-plotRight)*at.Seconds()/max(span.Seconds(), 1)
	}
	y := func(v float64) float64 { return float64(bottom) - float64(bottom-top)*v/most }
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="#eee"/>`+"\n", plotLeft, top, x(r.warm)-plotLeft, bottom-top)
	fmt.Fprintf(b, `<text x="%d" y="%d">%s</text>`+"\n", plotLeft, top-6, g.name)
	for _, v := range []float64{0, most / 1.05} {
		fmt.Fprintf(b, `<text x="%d" y="%.1f" text-anchor="end" fill="#555">%s</text>`+"\n", plotLeft-4, y(v)+4, amount(v, g.unit))
		fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ccc"/>`+"\n", plotLeft, y(v), plotWidth-plotRight, y(v))
	}
	b.WriteString(`<polyline fill="none" stroke="#06c" points="`)
	for _, s := range r.samples {
		fmt.Fprintf(b, "%.1f,%.1f ", x(s.at), y(s.values[i]))
	}
	b.WriteString("\"/>\n")
	if i == len(gauges)-1 {
		for m := time.Duration(0); m <= span; m += 2 * time.Minute {
			fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#555">%.0f min</text>`+"\n", x(m), bottom+15, m.Minutes())
		}
	}
}

// TestPlots: what is drawn is XML, and has a line for each gauge.
func TestPlots(t *testing.T) {
	r := &report{warm: time.Minute}
	for i := range 100 {
		s := sample{at: time.Duration(i) * 3 * time.Second}
		for j := range gauges {
			s.values = append(s.values, float64(i*j))
		}
		r.samples = append(r.samples, s)
	}
	lines := 0
	for dec := xml.NewDecoder(bytes.NewReader(r.plots())); ; {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			lines++
		}
	}
	if lines != len(gauges) {
		t.Errorf("%d lines are drawn, want %d", lines, len(gauges))
	}
}
