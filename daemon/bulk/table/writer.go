package table

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"github.com/verimails/verimaild/verify/verdict"
)

// A Shape is the form of an output.
type Shape string

// The shapes. Those of other services are CSV with the columns that their exports have.
const (
	ShapeCSV         Shape = "csv"
	ShapeNDJSON      Shape = "ndjson"
	ShapeKickbox     Shape = "kickbox"
	ShapeZeroBounce  Shape = "zerobounce"
	ShapeNeverBounce Shape = "neverbounce"
)

// Shapes lists the shapes.
func Shapes() []Shape {
	return []Shape{ShapeCSV, ShapeNDJSON, ShapeKickbox, ShapeZeroBounce, ShapeNeverBounce}
}

// ParseShape returns the shape called s; "" is ShapeCSV.
func ParseShape(s string) (Shape, error) {
	sh := either(Shape(s), ShapeCSV)
	if !slices.Contains(Shapes(), sh) {
		return "", fmt.Errorf("table: unknown format %q: want csv, ndjson, kickbox, zerobounce or neverbounce", s)
	}
	return sh, nil
}

// ContentType is the media type of an output in this shape.
func (s Shape) ContentType() string {
	if s == ShapeNDJSON {
		return "application/x-ndjson"
	}
	return "text/csv; charset=utf-8; header=present"
}

// WriteOptions say how a list is written. The zero WriteOptions write all rows as CSV, safe to open in a spreadsheet.
type WriteOptions struct {
	Shape  Shape  // "" is ShapeCSV.
	Filter Filter // Which rows.

	// RawFormulas leaves cells as they are that a spreadsheet would take for a formula. Of CSV only.
	RawFormulas bool
	Delimiter   string // Of CSV: one ASCII character; "" is a comma.
	BOM         bool   // Of CSV: start with a byte order mark, which Excel needs to see that it is UTF-8.
	NoHeader    bool   // Of CSV: write no header.
}

// A Writer writes rows with their answers. Nothing is sure to be written before Flush.
type Writer struct {
	w     *bufio.Writer
	o     WriteOptions
	enc   encoder
	begun bool
	buf   []byte
}

// An encoder appends an output's parts to b.
type encoder interface {
	header(b []byte) []byte
	row(b []byte, row *Row, out *Outcome) []byte
}

// NewWriter returns a Writer of rows that a Reader with the layout l gave.
func NewWriter(w io.Writer, l Layout, o WriteOptions) (*Writer, error) {
	sh, err := ParseShape(string(o.Shape))
	if err != nil {
		return nil, err
	}
	if _, err := (Options{Delimiter: o.Delimiter}).known(); err != nil {
		return nil, err
	}
	o.Shape = sh
	wr := &Writer{w: bufio.NewWriterSize(w, 64<<10), o: o}
	if sh == ShapeNDJSON {
		wr.enc = newObjectEncoder(l)
	} else {
		wr.enc = newCellEncoder(l, o)
	}
	return wr, nil
}

// Write writes a row with its answer, if the filter takes it. A row with a problem is invalid_syntax, whatever the
// outcome says, and smtp_text says the line and what is wrong with it.
func (w *Writer) Write(row Row, out Outcome) error {
	if row.Problem != "" {
		out = problemOutcome(&row, out)
	}
	if !w.o.Filter.Match(&out) {
		return nil
	}
	if err := w.begin(); err != nil {
		return err
	}
	w.buf = w.enc.row(w.buf[:0], &row, &out)
	_, err := w.w.Write(w.buf)
	return err
}

// Flush writes what is not written yet; of an output without rows, the header.
func (w *Writer) Flush() error {
	if err := w.begin(); err != nil {
		return err
	}
	return w.w.Flush()
}

func (w *Writer) begin() error {
	if w.begun {
		return nil
	}
	w.begun = true
	_, err := w.w.Write(w.enc.header(nil))
	return err
}

// problemOutcome is the answer for a row from which there is no address to be had.
func problemOutcome(row *Row, out Outcome) Outcome {
	return Outcome{
		Reason:    verdict.InvalidSyntax,
		SMTPText:  fmt.Sprintf("line %d: %s", row.Line, row.Problem),
		CheckedAt: out.CheckedAt,
	}
}
