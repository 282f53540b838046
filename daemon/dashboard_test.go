package daemon

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// checkDashboard: the dashboard asks for metrics that exist, and for what is worth seeing.
func checkDashboard(t *testing.T, names map[string]bool) {
	t.Helper()
	var board struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(readFile(t, "../docs/grafana.json")), &board); err != nil {
		t.Fatal(err)
	}
	suffix := regexp.MustCompile(`_(bucket|sum|count)$`)
	n := 0
	for _, p := range board.Panels {
		for _, target := range p.Targets {
			for _, m := range regexp.MustCompile(`verimaild_[a-z_]+`).FindAllString(target.Expr, -1) {
				n++
				if name := suffix.ReplaceAllString(m, ""); !names[name] && !names[m] {
					t.Errorf("the panel %q asks for %s, which does not exist", p.Title, m)
				}
			}
			if strings.Count(target.Expr, "(") != strings.Count(target.Expr, ")") {
				t.Errorf("the panel %q: unbalanced %s", p.Title, target.Expr)
			}
		}
	}
	if n < 15 {
		t.Errorf("the dashboard asks for %d metrics; its form must have changed", n)
	}
}
