package table

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/verimails/verimaild/verify/verdict"
)

// An objectEncoder writes rows as NDJSON: the input's object as it was written, or an object of the input's columns, with
// the answer's members behind.
type objectEncoder struct {
	l       Layout
	columns []string // The members that the input's columns become, quoted.
	results []string // The answer's members, quoted.
	raw     string   // The members for a row that could not be read, quoted.
	line    string
	problem string
}

func newObjectEncoder(l Layout) *objectEncoder {
	e := &objectEncoder{l: l}
	names := uniqueNames(headerNames(l, "email"))
	for _, n := range names {
		e.columns = append(e.columns, quoteJSON(n))
	}
	extra := freeNames(names, append(resultNames(), "line", "problem", "raw"))
	for i, n := range extra {
		extra[i] = quoteJSON(n)
	}
	n := len(resultNames())
	e.results, e.line, e.problem, e.raw = extra[:n], extra[n], extra[n+1], extra[n+2]
	return e
}

// uniqueNames is names as an object's keys: none empty, none twice.
func uniqueNames(names []string) []string {
	taken := map[string]bool{}
	for _, n := range names {
		taken[n] = true
	}
	seen := map[string]bool{}
	out := make([]string, len(names))
	for i, n := range names {
		key := n
		if strings.TrimSpace(key) == "" {
			key = "column_" + strconv.Itoa(i+1)
		}
		for k := 2; seen[key] || key != n && taken[key]; k++ {
			key = either(n, "column_"+strconv.Itoa(i+1)) + "_" + strconv.Itoa(k)
		}
		seen[key] = true
		out[i] = key
	}
	return out
}

func (e *objectEncoder) header(b []byte) []byte { return b }

func (e *objectEncoder) row(b []byte, row *Row, out *Outcome) []byte {
	b = append(b, '{')
	start := len(b)
	switch raw := strings.TrimSpace(row.Raw); {
	case row.Fields == nil:
		b = member(b, e.raw, quoteJSON(row.Raw))
	case e.l.Format == NDJSON && raw != "" && raw[0] == '{':
		b = append(b, strings.TrimSpace(raw[1:len(raw)-1])...)
	case e.l.Format == NDJSON: // A string.
		b = member(b, e.columns[e.l.Column], quoteJSON(row.Fields[e.l.Column]))
	default:
		for i, f := range row.Fields {
			b = member(b, e.columns[i], quoteJSON(f))
		}
	}
	if len(b) > start && b[len(b)-1] != ',' {
		b = append(b, ',')
	}
	b = e.answer(b, out)
	if row.Problem != "" {
		b = member(b, e.line, strconv.FormatInt(row.Line, 10))
		b = member(b, e.problem, quoteJSON(row.Problem))
	}
	b[len(b)-1] = '}'
	return append(b, '\n')
}

// answer appends the members of the answer; all null if there is none yet.
func (e *objectEncoder) answer(b []byte, o *Outcome) []byte {
	values := [...]string{
		orNull(string(o.Verdict())), orNull(string(o.Reason)), orNull(string(o.Subject())),
		triJSON(o.Flags.CatchAll), triJSON(o.Flags.Disposable), triJSON(o.Flags.Role), triJSON(o.Flags.FreeProvider),
		orNull(o.DidYouMean), orNull(o.MX), orNull(o.Provider), either(codeText(o.SMTPCode), "null"), orNull(o.SMTPText),
		orNull(timeText(o.CheckedAt)),
	}
	for i, v := range values {
		if !o.Done() {
			v = "null"
		}
		b = member(b, e.results[i], v)
	}
	return b
}

// member appends a member with its comma.
func member(b []byte, key, value string) []byte {
	b = append(b, key...)
	b = append(b, ':')
	b = append(b, value...)
	return append(b, ',')
}

func triJSON(t verdict.Tri) string { return either(triText(t), "null") }

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return quoteJSON(s)
}

// quoteJSON is s as a JSON string.
func quoteJSON(s string) string {
	plain := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return `"` + s + `"`
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return `""` // A string can always be encoded.
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// moreMembers makes of an object's text an object of the members that are no column, "" if there are none.
func moreMembers(l Layout) func(raw string) string {
	known := map[string]bool{}
	for _, c := range l.Columns {
		known[c] = true
	}
	return func(raw string) string {
		raw = strings.TrimSpace(raw)
		if raw == "" || raw[0] != '{' || !json.Valid([]byte(raw)) {
			return ""
		}
		var b []byte
		for key, value := range members(raw) {
			if !known[key] {
				b = member(b, quoteJSON(key), value)
			}
		}
		if len(b) == 0 {
			return ""
		}
		return "{" + string(b[:len(b)-1]) + "}"
	}
}
