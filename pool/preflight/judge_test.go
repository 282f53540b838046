package preflight

import (
	"strings"
	"testing"
)

// findings reads "port ipv4 bad, ptr ipv4 unknown" as those of the source a. A name with a slash is of a list.
func findings(text string) []finding {
	var out []finding
	for part := range strings.SplitSeq(text, ",") {
		w := strings.Fields(part)
		if len(w) == 0 {
			continue
		}
		check, about, _ := strings.Cut(w[0], "/")
		f := finding{about: about, Finding: Finding{
			Check: Check(check), Source: "a", Family: Family(w[1]), State: State(w[2]), Severity: Warning, What: part,
		}}
		switch f.Check {
		case CheckAddress, CheckPort:
			f.Severity = Error
		case CheckSenderMX:
			f.Source, f.Family = "", ""
		}
		if about == "silent" {
			f.Severity, f.Source = Info, ""
		}
		out = append(out, f)
	}
	return out
}

func TestJudge(t *testing.T) {
	for _, row := range []struct {
		name, findings, held string
		warn, strict         State
		bind                 bool
	}{
		{"all well", "address ipv4 ok, port ipv4 ok, ptr ipv4 ok", "", OK, OK, false},
		{"no address", "address ipv4 bad, ptr ipv4 ok", "", Bad, Bad, true},
		{"a closed port", "address ipv4 ok, port ipv4 bad", "", Bad, Bad, false},
		{"a port that is not known", "address ipv4 ok, port ipv4 unknown", "", OK, OK, false},
		{"no PTR", "address ipv4 ok, port ipv4 ok, ptr ipv4 bad", "", OK, Bad, false},
		{"a sender without MX", "address ipv4 ok, port ipv4 ok, sender_mx - bad", "", OK, Bad, false},
		{"a listing", "address ipv4 ok, port ipv4 ok, dnsbl/one ipv4 bad", "", OK, Bad, false},
		{"a list that says nothing", "address ipv4 ok, port ipv4 ok, dnsbl/silent - unknown", "", OK, OK, false},
		{"one family of two is closed", "port ipv4 ok, port ipv6 bad", "", OK, Bad, false},
		{"one family is closed, one not known", "port ipv4 unknown, port ipv6 bad", "", OK, Bad, false},
		{"both families are closed", "port ipv4 bad, port ipv6 bad", "", Bad, Bad, false},
		{"one family closed, the other missing", "port ipv4 bad, address ipv6 bad", "", Bad, Bad, false},
		{"nothing known", "", "", Unknown, OK, false},

		// Out, and what it takes to come back.
		{"out, and open again", "address ipv4 ok, port ipv4 ok", "port ipv4 bad", OK, OK, false},
		{"out, and not known any more", "address ipv4 ok, port ipv4 unknown", "port ipv4 bad", Unknown, Unknown, false},
		{"out for the port, PTR never known", "port ipv4 ok, ptr ipv4 unknown", "port ipv4 bad", OK, OK, false},
		{"out for the PTR, which is not known now", "port ipv4 ok, ptr ipv4 unknown", "ptr ipv4 bad", OK, Unknown, false},
		{"out for both families, one is open", "port ipv4 ok, port ipv6 unknown", "port ipv4 bad, port ipv6 bad", OK, Unknown, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			for mode, want := range map[Mode]State{Warn: row.warn, Strict: row.strict} {
				held := judge(Strict, "a", findings(row.held), nil).causes
				got := judge(mode, "a", findings(row.findings), held)
				if got.state != want {
					t.Errorf("judge(%s, %q) = %s, want %s", mode, row.findings, got.state, want)
				}
				if got.state == Bad && (got.bind != row.bind || got.why == "" || len(got.causes) == 0) {
					t.Errorf("judge(%s, %q) = %+v, want bind %t, a reason and causes", mode, row.findings, got, row.bind)
				}
			}
		})
	}
}

// TestHysteresis feeds runs, b bad, m missing address, o ok, u unknown, and follows who is in (+) and who is out (-).
func TestHysteresis(t *testing.T) {
	for _, row := range []struct{ name, runs, want string }{
		{"one bad run moves nothing", "oboo", "++++"},
		{"two in a row do", "obbb", "++--"},
		{"from the first run on too", "bb", "+-"},
		{"but a missing address at once, in the first run", "mm", "--"},
		{"and not later", "omm", "++-"},
		{"an unknown run is no agreement", "obub", "++++"},
		{"one good run brings nothing back", "bbobo", "+----"},
		{"two in a row do, back", "bboo", "+--+"},
		{"a missing address comes back by the same rule", "moo", "--+"},
		{"unknown keeps out", "bbuuuoo", "+-----+"},
		{"unknown between good runs", "bbouoo", "+----+"},
	} {
		t.Run(row.name, func(t *testing.T) {
			var r record
			var got strings.Builder
			for i, c := range row.runs {
				j := judgement{state: map[rune]State{'b': Bad, 'm': Bad, 'o': OK, 'u': Unknown}[c], bind: c == 'm', why: "why"}
				r.note(j, i == 0)
				if got.WriteString(map[bool]string{true: "-", false: "+"}[r.out]); r.out != (r.why != "") {
					t.Errorf("run %d: out %t because %q", i, r.out, r.why)
				}
			}
			if got.String() != row.want {
				t.Errorf("runs %s: %s, want %s", row.runs, got.String(), row.want)
			}
		})
	}
}
