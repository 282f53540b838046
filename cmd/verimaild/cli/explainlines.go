package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/verimails/verimaild/pool/reply"
)

// An explainInput is one line that explain --ndjson reads. ID is handed back as it is.
type explainInput struct {
	ID       json.RawMessage `json:"id"`
	Stage    string          `json:"stage"`
	Provider string          `json:"provider"`
	MX       explainHosts    `json:"mx"`
	Code     int             `json:"code"`
	Enhanced string          `json:"enhanced"`
	Text     string          `json:"text"`
}

// explainHosts are mail hosts, written as one text or as a list.
type explainHosts string

// UnmarshalJSON reads "a,b" or ["a","b"].
func (h *explainHosts) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		*h = explainHosts(one)
		return nil
	}
	var many []string
	if err := json.Unmarshal(b, &many); err != nil {
		return errors.New("mx: want a text or a list of texts")
	}
	for _, m := range many {
		*h += explainHosts(m) + ","
	}
	return nil
}

// An explainOutput is one line that explain --ndjson writes.
type explainOutput struct {
	ID    json.RawMessage `json:"id"`
	Class reply.Class     `json:"class"`
	Scope reply.Scope     `json:"scope"`
	Rule  string          `json:"rule"`
}

// explainLines answers each line of standard input with one line, in order, and hands over what is ready whenever
// the input pauses. A line that makes no sense is told on standard error; the others are answered all the same.
func explainLines(t *reply.Table, std stdio) error {
	e := lineExplainer{table: t, err: std.err, out: bufio.NewWriter(std.out)}
	e.enc = json.NewEncoder(e.out)
	e.enc.SetEscapeHTML(false)
	err := e.readAll(bufio.NewReaderSize(std.in, maxReply))
	if err := errors.Join(err, e.out.Flush()); err != nil {
		return err
	}
	if e.faults > 0 {
		return exitError(exitFailure)
	}
	return nil
}

// A lineExplainer answers lines.
type lineExplainer struct {
	table  *reply.Table
	out    *bufio.Writer
	enc    *json.Encoder // Onto out.
	err    io.Writer
	faults int
}

// readAll answers the lines of in up to its end.
func (e *lineExplainer) readAll(in *bufio.Reader) error {
	for n := 1; ; n++ {
		line, tooLong, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if len(line) > 0 || tooLong {
			e.answer(n, line, tooLong)
		}
		if err != nil {
			return nil
		}
		if in.Buffered() == 0 {
			if err := e.out.Flush(); err != nil {
				return err
			}
		}
	}
}

// answer answers the nth line.
func (e *lineExplainer) answer(n int, line []byte, tooLong bool) {
	answer, err := explainLine(e.table, line, tooLong)
	if err == nil {
		err = e.enc.Encode(answer)
	}
	if err != nil {
		e.faults++
		fmt.Fprintf(e.err, "verimaild: line %d%s: %v\n", n, nameID(answer.ID), err)
	}
}

// readLine reads one line without its end. A line longer than the buffer is read to its end and dropped.
func readLine(in *bufio.Reader) (line []byte, tooLong bool, err error) {
	line, err = in.ReadSlice('\n')
	for errors.Is(err, bufio.ErrBufferFull) {
		tooLong = true
		line, err = in.ReadSlice('\n')
	}
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	return line, tooLong, err
}

// explainLine answers one line. Its ID is set as far as it could be read.
func explainLine(t *reply.Table, line []byte, tooLong bool) (explainOutput, error) {
	if tooLong {
		return explainOutput{}, fmt.Errorf("longer than %d bytes", maxReply)
	}
	var in explainInput
	if err := json.Unmarshal(line, &in); err != nil {
		return explainOutput{ID: in.ID}, fmt.Errorf("not a JSON object of this kind: %w", err)
	}
	out := explainOutput{ID: in.ID}
	if out.ID == nil {
		out.ID = json.RawMessage("null")
	}
	stage, err := reply.ParseStage(in.Stage)
	if err != nil {
		return out, fmt.Errorf("stage: %w", err)
	}
	r := reply.ParseReply(in.Code, in.Enhanced, in.Text)
	if r.Code == 0 {
		return out, errors.New("code: the reply has none")
	}
	// A provider that the table does not know is judged as none: its own rules are all that it would add.
	prov := in.Provider
	if prov == "" {
		prov, _ = reply.ProviderOf("", string(in.MX))
	}
	m := t.Classify(stage, &r, prov)
	out.Class, out.Scope, out.Rule = m.Class, m.Scope, m.Rule
	return out, nil
}

// nameID names the line's id in a message, if it has one.
func nameID(id json.RawMessage) string {
	if id == nil || string(id) == "null" {
		return ""
	}
	return fmt.Sprintf(" (id %s)", printable(string(id)))
}
