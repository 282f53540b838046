package api

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/verimails/verimaild/client/apitype"
)

func readDocs(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDocsErrors: docs/api.md lists every code with its status, and no other.
func TestDocsErrors(t *testing.T) {
	doc := readDocs(t)
	for code, status := range statuses {
		if row := fmt.Sprintf("| `%s` | %d |", code, status); !strings.Contains(doc, row) {
			t.Errorf("docs/api.md lacks %q", row)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| (\\d+) \\|").FindAllStringSubmatch(doc, -1) {
		if fmt.Sprint(statuses[m[1]]) != m[2] {
			t.Errorf("docs/api.md gives %s the status %s, the code %d", m[1], m[2], statuses[m[1]])
		}
	}
}

// TestDocsRoutes: docs/api.md lists every route with its scope.
func TestDocsRoutes(t *testing.T) {
	doc := readDocs(t)
	for _, rt := range routeTable {
		scope := "–"
		if rt.scope != ScopeNone {
			scope = "`" + rt.scope.String() + "`"
		}
		row := regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(rt.pattern) + "` \\| .* \\| " + regexp.QuoteMeta(scope) + " \\|$")
		if !row.MatchString(doc) {
			t.Errorf("docs/api.md lacks a row for %s with scope %s", rt.pattern, scope)
		}
	}
}

// TestDocsFields: docs/api.md names every field of what goes in and out.
func TestDocsFields(t *testing.T) {
	doc := readDocs(t)
	for _, v := range []any{
		apitype.Answer{},
		apitype.ExplainRequest{},
		apitype.Explanation{},
		apitype.Advice{},
		apitype.Flags{},
		apitype.Domain{},
		apitype.MX{},
		apitype.Evidence{},
		apitype.Line{},
		apitype.VerifyRequest{},
		apitype.Ready{},
		apitype.Error{},
		apitype.DomainRecord{},
		apitype.MailHosts{},
		apitype.MailHost{},
		apitype.DomainHabit{},
		apitype.CacheStats{},
		apitype.CacheMemory{},
		apitype.CacheDisk{},
		apitype.CacheLookups{},
		apitype.CacheFaults{},
		apitype.Job{},
		apitype.JobList{},
		apitype.JobReason{},
		apitype.JobProvider{},
		apitype.JobProgress{},
		apitype.JobHold{},
		apitype.JobBounce{},
		apitype.JobDomain{},
		apitype.JobWebhook{},
		apitype.JobPage{},
		apitype.Forgotten{},
		apitype.Imported{},
		apitype.Trace{},
		apitype.TraceList{},
		apitype.TraceHosts{},
		apitype.TraceHost{},
		apitype.TraceMemory{},
		apitype.TraceSource{},
		apitype.TraceRule{},
		apitype.TraceDecision{},
		apitype.FeedbackReport{},
		apitype.FeedbackReply{},
		apitype.FeedbackEffects{},
		apitype.FeedbackResult{},
		apitype.FeedbackFault{},
		apitype.Feedback{},
		apitype.FeedbackPrecision{},
		apitype.FeedbackApp{},
		apitype.Usage{},
		apitype.Status{},
		apitype.StatusSource{},
		apitype.StatusWork{},
		apitype.StatusRates{},
		apitype.StatusCache{},
		apitype.StatusApp{},
		apitype.Reloaded{},
		apitype.AppUsage{},
		apitype.Quota{},
		apitype.UsageCounts{},
		apitype.VerdictCounts{},
	} {
		for field := range reflect.TypeOf(v).Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !strings.Contains(doc, "`"+name+"`") {
				t.Errorf("docs/api.md does not name %s of %T", name, v)
			}
		}
	}
}

// TestDocsExamples: the examples are JSON, and the answer is the one that the golden file holds.
func TestDocsExamples(t *testing.T) {
	golden, err := os.ReadFile("testdata/answer.json")
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	if err := json.Unmarshal(golden, &want); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, m := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(readDocs(t), -1) {
		if err := json.Unmarshal([]byte(m[1]), &got); err != nil {
			t.Errorf("an example is not JSON: %v\n%s", err, m[1])
		}
		found = found || reflect.DeepEqual(got, want)
	}
	if !found {
		t.Error("docs/api.md does not show the answer of testdata/answer.json")
	}
}
