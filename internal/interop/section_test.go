//go:build interop

package interop

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/verimails/verimaild/client/apitype"
)

var write = flag.Bool("write", false, "write what the servers said to docs/interop.md")

// docFile has a section for each server, between two comments that name it.
const docFile = "../../docs/interop.md"

// A section is what one server said to whom, for docs/interop.md.
type section struct {
	server    string
	version   string
	questions []question
	answers   []apitype.Answer // Of the questions, in their order.
	sessions  []session
}

// write puts the section in its place, if the flag says so.
func (s section) write(t testing.TB) {
	t.Helper()
	if !*write || t.Failed() {
		return
	}
	defer lock(t, cacheDir(t))()
	text, err := os.ReadFile(docFile)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+s.server+" -->\n", "<!-- end of "+s.server+" -->\n"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for %s: the lines %s and %s", docFile, s.server, begin, end)
	}
	if err := os.WriteFile(docFile, []byte(before+begin+s.String()+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (s section) String() string {
	var b strings.Builder
	rcpt, refused := 0, 0
	for _, v := range s.sessions {
		rcpt += v.commands["rcpt"]
		refused = max(refused, v.refused)
	}
	fmt.Fprintf(&b, "## %s\n\nVersion %s. In its log: %d RCPT in %d sessions for %d addresses, at most %d of them refused in one\n"+
		"session; QUIT at the end; no DATA.\n\n", s.server, s.version, rcpt, len(s.sessions), len(s.questions), refused)
	b.WriteString("| recipient | address | reply | answer |\n| --- | --- | --- | --- |\n")
	for i, q := range s.questions {
		if slices.IndexFunc(s.questions, func(p question) bool { return p.name == q.name }) < i {
			continue // One of each kind is enough to read.
		}
		a := &s.answers[i]
		fmt.Fprintf(&b, "| %s | `%s` | %s | `%s/%s` |\n", q.name, q.email, replyTo(a), a.Verdict, a.Reason)
	}
	return b.String()
}

// loopback is an address of this run.
var loopback = regexp.MustCompile(`127(\.\d+){3}`)

// replyTo is the last reply to the recipient itself, in one line.
func replyTo(a *apitype.Answer) string {
	for _, e := range slices.Backward(a.Evidence) {
		if e.Control || e.Code == 0 {
			continue
		}
		words := append([]string{fmt.Sprint(e.Code)}, strings.Fields(e.Enhanced+" "+e.Text)...)
		text := loopback.ReplaceAllString(strings.Join(words, " "), "192.0.2.1")
		return "`" + strings.ReplaceAll(text, "|", `\|`) + "`"
	}
	return "not asked"
}
