package table

import (
	"strconv"
	"strings"
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

// Prefix is put before the name of a result's column if the input has a column of that name already, whatever its case.
// If that is taken too, "_2" and so on is put behind it.
const Prefix = "verimaild_"

// resultNames are the columns of an answer, in order.
func resultNames() []string {
	return []string{
		"verdict", "reason", "subject", "catch_all", "disposable", "role", "free_provider", "did_you_mean", "mx", "provider",
		"smtp_code", "smtp_text", "checked_at",
	}
}

// resultCells are the cells of an answer; all empty if there is none yet.
func resultCells(cells []string, _ *Row, o *Outcome) []string {
	if !o.Done() {
		return append(cells, make([]string, len(resultNames()))...)
	}
	return append(cells,
		string(o.Verdict()), string(o.Reason), string(o.Subject()),
		triText(o.Flags.CatchAll), triText(o.Flags.Disposable), triText(o.Flags.Role), triText(o.Flags.FreeProvider),
		o.DidYouMean, o.MX, o.Provider, codeText(o.SMTPCode), o.SMTPText, timeText(o.CheckedAt))
}

func triText(t verdict.Tri) string {
	switch t {
	case verdict.True:
		return "true"
	case verdict.False:
		return "false"
	default:
		return ""
	}
}

func codeText(code int) string {
	if code == 0 {
		return ""
	}
	return strconv.Itoa(code)
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// freeNames is names as they can stand behind the input's columns: none is there twice.
func freeNames(input, names []string) []string {
	taken := map[string]bool{}
	for _, c := range input {
		taken[nameFold(c)] = true
	}
	out := make([]string, len(names))
	for i, n := range names {
		free := n
		for k := 1; taken[nameFold(free)]; k++ {
			free = Prefix + n
			if k > 1 {
				free += "_" + strconv.Itoa(k)
			}
		}
		taken[nameFold(free)] = true
		out[i] = free
	}
	return out
}

func nameFold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// headerNames are the input's columns as a header says them. A list without a header gets names: email for the addresses,
// and column_1 and so on.
func headerNames(l Layout, email string) []string {
	out := make([]string, len(l.Columns))
	named := l.Header || l.Format == NDJSON
	for i, c := range l.Columns {
		switch {
		case named && (c != "" || len(l.Columns) > 1):
			out[i] = c
		case i == l.Column:
			out[i] = email
		default:
			out[i] = "column_" + strconv.Itoa(i+1)
		}
	}
	return out
}
