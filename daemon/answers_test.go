package daemon

import (
	"encoding/json"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/config"
)

// TestAnswerLog: a request can be followed to what it asked, an address can be told from another, and is not shown unless
// the operator wants it.
func TestAnswerLog(t *testing.T) {
	w := smallWorld(t)
	for _, shown := range []bool{false, true} {
		r := start(t, w, func(c *config.Config) { c.Log.Addresses = shown })
		for _, email := range []string{"ada@example.test", "ada@EXAMPLE.test", "nobody@example.test"} {
			r.ask(t, email)
		}
		answers := r.log.FilterMessage("answer").All()
		if len(answers) != 3 {
			t.Fatalf("%d lines about answers, want 3", len(answers))
		}
		field := func(i int, key string) any { return answers[i].ContextMap()[key] }
		if got := field(0, "address"); (got == "ada@example.test") != shown {
			t.Errorf("log.addresses %t: address = %v", shown, got)
		}
		if h := field(0, "address_hash"); !shown && (h == nil || h != field(1, "address_hash") || h == field(2, "address_hash")) {
			t.Errorf("hashes are %v, %v, %v, want the same for one address in two spellings", h, field(1, "address_hash"), field(2, "address_hash"))
		}
		asked := r.log.FilterMessage("asked").FilterField(zap.String("request_id", field(0, "request_id").(string))).All()
		if len(asked) != 2 { // The recipient, and a control.
			t.Errorf("%d lines about what the first request asked, want 2", len(asked))
		}
		if !shown {
			lines, err := json.Marshal(r.log.All())
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(lines), "ada@") {
				t.Error("the log shows an address")
			}
		}
	}
}
