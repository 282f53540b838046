package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

// reportCSV turns rows into lines of JSON as they are sent.
func reportCSV(ctx context.Context, c *client.Client, r *bufio.Reader) (apitype.FeedbackReply, error) {
	rows, err := newReportRows(r)
	if err != nil {
		return apitype.FeedbackReply{}, err
	}
	pr, pw := io.Pipe()
	done := make(chan error, 1)
	go func() { // Ends with the rows, or with the reader of the pipe, which is closed below.
		err := rows.writeTo(pw)
		done <- err
		_ = pw.CloseWithError(err) // Never fails.
	}()
	reply, err := c.ReportLines(ctx, pr)
	_ = pr.Close() // Never fails.
	if wrote := <-done; wrote != nil && !errors.Is(wrote, io.ErrClosedPipe) {
		return reply, wrote
	}
	return reply, err
}

// columnNames are the names that a column goes by, in lower case.
var columnNames = map[string]string{
	"email": "email", "address": "email", "recipient": "email",
	"outcome": "outcome", "event": "outcome", "status": "outcome",
	"code": "code", "smtp_code": "code",
	"enhanced": "enhanced", "dsn": "enhanced",
	"text": "text", "reply": "text", "reason": "text", "diagnostic": "text", "response": "text",
	"at": "at", "time": "at", "timestamp": "at", "date": "at",
}

// outcomeNames are what senders' services call the outcomes.
var outcomeNames = map[string]string{
	"delivered": apitype.OutcomeDelivered, "delivery": apitype.OutcomeDelivered,
	"bounced": apitype.OutcomeBounced, "bounce": apitype.OutcomeBounced, "hard_bounce": apitype.OutcomeBounced, "failed": apitype.OutcomeBounced,
	"delayed": apitype.OutcomeDelayed, "deferred": apitype.OutcomeDelayed, "soft_bounce": apitype.OutcomeDelayed,
}

// reportRows are the rows of a CSV file that holds reports.
type reportRows struct {
	csv    *csv.Reader
	column map[string]int
}

// newReportRows reads the line of column names.
func newReportRows(r *bufio.Reader) (*reportRows, error) {
	if mark, err := r.Peek(3); err == nil && string(mark) == "\uFEFF" {
		_, _ = r.Discard(3) // They are there.
	}
	head, _ := r.Peek(4096) // What can't be read fails below.
	line, _, _ := bytes.Cut(head, []byte("\n"))
	rows := &reportRows{csv: csv.NewReader(r), column: map[string]int{}}
	rows.csv.Comma = separator(string(line))
	rows.csv.FieldsPerRecord, rows.csv.ReuseRecord, rows.csv.LazyQuotes = -1, true, true
	names, err := rows.csv.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for i, name := range names {
		column, ok := columnNames[strings.ToLower(strings.TrimSpace(name))]
		if _, twice := rows.column[column]; ok && !twice {
			rows.column[column] = i
		}
	}
	for _, need := range []string{"email", "outcome"} {
		if _, ok := rows.column[need]; !ok {
			return nil, fmt.Errorf("the first line names no column %q; it must name email and outcome, and may name code, enhanced, text and at", need)
		}
	}
	return rows, nil
}

// separator is what stands between the columns of a line.
func separator(line string) rune {
	best, most := ',', strings.Count(line, ",")
	for _, s := range []rune{';', '\t'} {
		if n := strings.Count(line, string(s)); n > most {
			best, most = s, n
		}
	}
	return best
}

// writeTo writes each row as a line of JSON of the same number, so that a fault is named by the line that it is in.
func (rows *reportRows) writeTo(w io.Writer) error {
	out := bufio.NewWriter(w)
	written := 0
	for {
		record, err := rows.csv.Read()
		if errors.Is(err, io.EOF) {
			return out.Flush()
		}
		if err != nil {
			return err
		}
		line, _ := rows.csv.FieldPos(0)
		if _, err := out.WriteString(strings.Repeat("\n", max(line-1-written, 0))); err != nil {
			return err
		}
		b, err := json.Marshal(rows.report(record))
		if err != nil {
			return err
		}
		if _, err := out.Write(append(b, '\n')); err != nil {
			return err
		}
		written = max(line, written+1)
	}
}

// report is a row as the API takes it. What makes no sense is left for the daemon to say so.
func (rows *reportRows) report(record []string) map[string]any {
	out := map[string]any{}
	for column, i := range rows.column {
		if i >= len(record) {
			continue
		}
		value := strings.TrimSpace(record[i])
		if value == "" {
			continue
		}
		out[column] = value
		switch column {
		case "outcome":
			if outcome, ok := outcomeNames[strings.ToLower(value)]; ok {
				out[column] = outcome
			}
		case "code":
			if code, err := strconv.Atoi(value); err == nil {
				out[column] = code
			}
		}
	}
	return out
}
