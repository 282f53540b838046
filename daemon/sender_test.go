package daemon

import (
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/internal/mailworld"
)

// A reverse-path that is refused everywhere is the operator's to mend: log, readyz, picture and metrics say so.
func TestReversePathRefusedEverywhere(t *testing.T) {
	refuses := mailworld.Host{Replies: map[string]mailworld.Reply{
		"MAIL": mailworld.Say(550, "5.1.8 Sender address rejected: Domain not found"),
	}}
	spec := mailworld.Spec{}
	for _, name := range []string{"one.test", "two.test", "three.test"} {
		h := refuses
		h.Name = "mx." + name
		if name == "three.test" {
			h.Replies = nil
		}
		spec.Hosts = append(spec.Hosts, h)
		spec.Domains = append(spec.Domains, mailworld.Domain{Name: name, MX: mailworld.MXs(h.Name), Mailboxes: []string{"ada"}})
	}
	w := startWorld(t, spec)
	r := start(t, w)
	r.wantReason(t, "ada@one.test", "sender_refused")
	if got := r.isReady(t); !got.Ready {
		t.Errorf("one site refuses the sender: Ready() = %+v", got)
	}
	r.wantReason(t, "ada@two.test", "sender_refused")
	a := r.wantReason(t, "ada@three.test", "sender_refused")
	if a.RetryAt.IsZero() || a.Subject != "sender" || len(a.Evidence) == 0 || a.Evidence[0].MX != "mx.two.test" {
		t.Errorf("answered %+v, want what mx.two.test said, about the sender, and when to come back", a)
	}
	if got := len(w.Sessions("mx.three.test")); got != 0 {
		t.Errorf("mx.three.test saw %d sessions, want 0", got)
	}
	got := r.isReady(t)
	if got.Ready || len(got.Problems) != 1 || got.Problems[0].Code != "sender_refused" || !strings.Contains(got.Problems[0].Message, "egress.sender") {
		t.Errorf("Ready() = %+v, want no, because of the sender", got)
	}
	e, err := r.client.Egress(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if s := e.Sender; s.State != "open" || s.OpenUntil == nil || s.Refusal == nil || s.Refusal.Host != "mx.two.test" {
		t.Errorf("Egress().Sender = %+v, want it open, because of mx.two.test", s)
	}
	if n := r.log.FilterMessageSnippet("the reverse-path is refused").FilterField(zap.String("mx", "mx.two.test")).Len(); n != 1 {
		t.Errorf("it was logged %d times, want once", n)
	}
	r.reloads(t, func(*config.Config) {})
	r.wantReason(t, "ada@three.test", "mailbox_accepted")
	if got := r.isReady(t); !got.Ready {
		t.Errorf("after a reload, and a site that takes the sender: Ready() = %+v", got)
	}
}
