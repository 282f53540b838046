package reply

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/smtp"
)

// A corpusRow is one row of testdata/replies.tsv.
type corpusRow struct {
	line     int
	stage    smtp.Stage
	provider string
	reply    smtp.Reply
	class    Class
	scope    Scope
	source   string
}

// corpus reads testdata/replies.tsv.
func corpus(t testing.TB) []corpusRow {
	t.Helper()
	f, err := os.Open("testdata/replies.tsv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	var rows []corpusRow
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		if n == 1 {
			continue
		}
		c := strings.Split(sc.Text(), "\t")
		if len(c) != 8 {
			t.Fatalf("line %d has %d columns, want 8", n, len(c))
		}
		code, err := strconv.Atoi(c[2])
		if err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		rows = append(rows, corpusRow{
			line: n, stage: smtp.Stage(c[0]), provider: c[1], reply: ParseReply(code, c[3], c[4]),
			class: Class(c[5]), scope: Scope(c[6]), source: c[7],
		})
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestCorpus(t *testing.T) {
	rows := corpus(t)
	if len(rows) < 250 {
		t.Errorf("the corpus has %d rows, want 250 at least", len(rows))
	}
	decides := make(map[string]int)
	for _, r := range rows {
		if r.source == "" {
			t.Errorf("line %d: no source", r.line)
		}
		if r.provider != "" && provider.ByID(r.provider) == nil {
			t.Errorf("line %d: there is no provider %s", r.line, r.provider)
		}
		got := Builtin().Classify(r.stage, &r.reply, r.provider)
		decides[got.Rule]++
		if got.Class != r.class || got.Scope != r.scope {
			t.Errorf("line %d: Classify(%s, %q, %q) = %s %s by %s, want %s %s",
				r.line, r.stage, r.reply.String(), r.provider, got.Class, got.Scope, got.Rule, r.class, r.scope)
		}
	}
	for i := range Builtin().rules {
		if name := Builtin().rules[i].Name; decides[name] == 0 {
			t.Errorf("rule %s decides no row of the corpus", name)
		}
	}
}

// TestRulesAreDescribed holds every rule to what its readers need: where it was seen, and providers that exist.
func TestRulesAreDescribed(t *testing.T) {
	for _, r := range Builtin().rules {
		if r.Seen == "" {
			t.Errorf("rule %s does not say where it was seen", r.Name)
		}
		for id := range strings.FieldsSeq(r.Provider) {
			if provider.ByID(id) == nil {
				t.Errorf("rule %s: there is no provider %s", r.Name, id)
			}
		}
	}
}
