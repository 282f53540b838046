package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// traced is ada's answer with the way to it, if that was asked for.
func traced(_ context.Context, req verify.Request) (*verdict.Answer, error) {
	a := ada()
	a.Cached = true
	if !req.Trace {
		return a, nil
	}
	a.Evidence = append(a.Evidence, verdict.Evidence{Stage: "rcpt", Control: true, Code: 550, Rule: "unknown-user", At: nine}, verdict.Evidence{Stage: "rcpt", Rule: "gone", At: nine})
	a.Evidence[0].Rule = "unknown-user"
	a.Trace = &verdict.Trace{
		Lists: []verdict.ListLook{{List: "role", Listed: true, Source: "somebody", Date: "2026-11-01", Names: 900, Own: 2}},
		Hosts: &verdict.HostsLook{
			Remembered: true, Status: "found", Server: "127.0.0.53:53", At: time.Now().Add(-time.Minute), TTL: time.Hour, Took: 3 * time.Millisecond,
			Hosts: []verdict.HostLook{{Host: "mx.example.com", Preference: 10, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.25")}}},
		},
		Memory: []verdict.MemoryLook{
			{Of: "mailbox", Says: "mailbox_accepted", Freshness: verdict.Stale, CheckedAt: nine, ExpiresAt: nine.Add(time.Hour), Served: true},
			{Of: "domain"},
		},
		Source: verdict.SourceChoice{Name: "a", Why: "it is the only one"}, Decision: verdict.Decision{Rule: "acceptance", Says: "<why>"}, Unseen: []string{"traps"},
	}
	return a, nil
}

func TestTrace(t *testing.T) {
	s := serve(t, Options{Verifier: verifierFunc(traced)})
	for range 3 { // A frame is made at the second time; it must hold no trace.
		got := answerOf(t, s.request(t, http.MethodGet, "/v1/verify?email=Ada@Example.com", ""))
		if got.Trace != nil {
			t.Fatalf("trace = %+v without explain, want none", got.Trace)
		}
	}
	got := answerOf(t, s.request(t, http.MethodPost, "/v1/verify", `{"email":"Ada@Example.com","explain":true}`))
	tr := got.Trace
	if tr == nil {
		t.Fatal("no trace with explain")
	}
	if h := tr.MailHosts; h.From != "memory" || h.AgeS < 60 || h.AgeS > 120 || h.TTLLeftS < 3400 || h.TTLLeftS > 3540 || h.Hosts[0].Addresses[0] != "192.0.2.25" || h.Hosts[0].Refused == nil {
		t.Errorf("mail hosts = %+v, want them from memory, a minute old, for 59 more", h)
	}
	if m := tr.Memory[0]; !m.Served || m.Freshness != "stale" || !m.CheckedAt.Equal(nine) || *m.Says != "mailbox_accepted" {
		t.Errorf("memory = %+v, want the mailbox's answer, served", m)
	}
	if m := tr.Memory[1]; m.Says != nil || m.AgeS != nil || m.CheckedAt != nil || m.Freshness != "missing" {
		t.Errorf("memory = %+v, want nothing of the domain", m)
	}
	if len(tr.Rules) != 1 || tr.Rules[0].Rule != "unknown-user" || tr.Rules[0].Seen == "" {
		t.Errorf("rules = %+v, want unknown-user once, with its origin", tr.Rules)
	}
	if tr.Source.Name != "a" || tr.Decision.Says != "<why>" || len(tr.Unseen) != 1 || tr.Lists[0].Own != 2 {
		t.Errorf("trace = %+v", tr)
	}
}

// TestTraceOfNothing: lists are empty and not null, and what there is not is null.
func TestTraceOfNothing(t *testing.T) {
	s := serve(t, Options{Verifier: verifierFunc(func(context.Context, verify.Request) (*verdict.Answer, error) {
		return &verdict.Answer{Reason: verdict.NotProbed, Stage: "dns", CheckedAt: nine, Trace: &verdict.Trace{}}, nil
	})})
	var got struct{ Trace json.RawMessage }
	if err := json.Unmarshal(s.request(t, http.MethodGet, "/v1/verify?email=a@b.example&explain=true", "").body, &got); err != nil {
		t.Fatal(err)
	}
	want := `{"lists":[],"mail_hosts":null,"memory":[],"source":null,"rules":[],"decision":{"rule":"","says":""},"unseen":[]}`
	if string(got.Trace) != want {
		t.Errorf("trace = %s, want %s", got.Trace, want)
	}
}
