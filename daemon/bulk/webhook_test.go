package bulk

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/verify/verdict"
)

// A hook is a webhook that notes what it is told, and replies as told.
type hook struct {
	*httptest.Server
	mu     sync.Mutex // Guards all below.
	status []int      // In turn; the last one stays.
	bodies []string
	heads  []http.Header
}

func newHook(t *testing.T, status ...int) *hook {
	h := &hook{status: status}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.bodies, h.heads = append(h.bodies, string(body)), append(h.heads, r.Header)
		code := h.status[min(len(h.bodies), len(h.status))-1]
		if code == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(code)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) told() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.bodies)
}

// loopback lets webhooks go to this host.
func loopback(o *Options) {
	o.Guard = netguard.New(netguard.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
}

func (r *rig) delivered(id string) Info {
	r.t.Helper()
	return r.poll(id, "a notice", func(i *Info) bool { return i.Delivery != nil && i.Delivery.Tries > 0 })
}

// poll waits for a picture of a job that has ended, which Watch does not tell of.
func (r *rig) poll(id, what string, ok func(*Info) bool) Info {
	r.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(10 * time.Second)
	defer end.Stop()
	for {
		i, err := r.Get("", id)
		if err != nil {
			r.t.Fatal(err)
		}
		if ok(&i) {
			return i
		}
		select {
		case <-tick.C:
		case <-end.C:
			r.t.Fatalf("job %s: not within 10 s: %s: %+v", id, what, i)
		}
	}
}

func TestWebhook(t *testing.T) {
	h := newHook(t, 204)
	s := &script{}
	r := newRig(t, s, loopback)
	id := r.create(Spec{Name: "l.csv", Webhook: h.URL + "/done?token=x", Secret: "sesame"}, "ada@a.test\nada@a.test\n").ID
	i := r.delivered(id)
	if i.Delivery.Delivered.IsZero() || i.Delivery.due() {
		t.Errorf("delivery = %+v, want delivered", i.Delivery)
	}
	var n Notice
	if err := json.Unmarshal([]byte(h.bodies[0]), &n); err != nil {
		t.Fatal(err)
	}
	if n.Event != "job.finished" || n.Job != id || n.Name != "l.csv" || n.State != Finished || n.Rows != 2 || n.Verdicts["deliverable"] != 2 {
		t.Errorf("notice = %+v", n)
	}
	head := h.heads[0]
	if want := sign("sesame", head.Get(headerTimestamp), []byte(h.bodies[0])); head.Get(headerSignature) != want {
		t.Errorf("signature = %q, want %q", head.Get(headerSignature), want)
	}
	r.restart()
	if got := h.told(); got != 1 || len(s.snapshot()) != 1 {
		t.Errorf("told %d times, asked %d times, want once each", got, len(s.snapshot()))
	}
}

// TestWebhookOfACancelledJob: whoever waits for the end is told of this one too.
func TestWebhookOfACancelledJob(t *testing.T) {
	h := newHook(t, 204)
	s := &script{hold: make(chan struct{})}
	defer close(s.hold)
	r := newRig(t, s, loopback)
	id := r.create(Spec{Webhook: h.URL}, manyRows(100, 2)).ID
	r.await(id, "questions", func(*Info) bool { return len(s.snapshot()) > 0 })
	if _, err := r.Cancel(t.Context(), "", id); err != nil {
		t.Fatal(err)
	}
	r.delivered(id)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.bodies) != 1 || !strings.Contains(h.bodies[0], `"event":"job.cancelled"`) {
		t.Errorf("told %q, want that it was cancelled", h.bodies)
	}
}

// TestWebhookFails: it is told again later, also by the next process, and redirects are not followed.
func TestWebhookFails(t *testing.T) {
	h := newHook(t, 302, 200)
	r := newRig(t, &script{}, loopback)
	id := r.create(Spec{Webhook: h.URL}, "ada@a.test\n").ID
	i := r.delivered(id)
	if d := i.Delivery; !d.Delivered.IsZero() || !d.due() || !strings.Contains(d.Problem, "302") || time.Until(d.Next) > webhookFirst {
		t.Errorf("delivery = %+v, want another try within %v", d, webhookFirst)
	}
	j, err := r.find("", id)
	if err != nil {
		t.Fatal(err)
	}
	r.stop(time.Second)
	err = j.update(t.Context(), func(rec *record) error {
		d := *rec.Delivery
		d.Next = time.Now()
		rec.Delivery = &d
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.open()
	i = r.poll(id, "its delivery", func(i *Info) bool { return !i.Delivery.Delivered.IsZero() })
	if i.Delivery.Tries != 2 || h.told() != 2 {
		t.Errorf("%d tries, told %d times, want 2", i.Delivery.Tries, h.told())
	}
}

// TestWebhookGuarded: a private address is not dialled, and the URL, which may hold a secret, is not in the problem.
func TestWebhookGuarded(t *testing.T) {
	h := newHook(t, 200)
	r := newRig(t, &script{})
	id := r.create(Spec{Webhook: h.URL + "/token"}, "ada@a.test\n").ID
	i := r.delivered(id)
	if i.Delivery.Problem == "" || strings.Contains(i.Delivery.Problem, "token") || h.told() != 0 {
		t.Errorf("delivery = %+v, told %d times, want it refused", i.Delivery, h.told())
	}
}

func TestBackoff(t *testing.T) {
	for _, tt := range []struct {
		tries int
		want  time.Duration
	}{{1, 10 * time.Second}, {2, 30 * time.Second}, {3, 90 * time.Second}, {9, 6 * time.Hour}, {100, 6 * time.Hour}} {
		if got := backoff(tt.tries); got != tt.want {
			t.Errorf("backoff(%d) = %v, want %v", tt.tries, got, tt.want)
		}
	}
}

func TestCheckWebhook(t *testing.T) {
	for _, tt := range []struct {
		url  string
		fine bool
	}{
		{"https://example.com/x?y=z", true},
		{"http://[2001:db8::1]:8080/", true},
		{"example.com", false},
		{"ftp://example.com", false},
		{"https://", false},
		{"https://a:b@example.com", false},
		{"https://exa mple.com", false},
	} {
		if err := CheckWebhook(tt.url); (err == nil) != tt.fine {
			t.Errorf("CheckWebhook(%q) = %v, want fine: %t", tt.url, err, tt.fine)
		}
	}
}

func TestEstimate(t *testing.T) {
	c := Counts{Done: 1000, Reasons: map[verdict.Reason]int64{
		verdict.MailboxAccepted: 720, verdict.MailboxNotFound: 80, verdict.AcceptedCatchAll: 150, verdict.ProviderUnverifiable: 50,
	}}
	got := estimateBounces(&c)
	if len(got) != 4 || got[0].Rows != 1000 || got[1].Rows != 920 || got[2].Rows != 870 || got[3].Rows != 720 {
		t.Fatalf("estimateBounces() = %+v", got)
	}
	for i, b := range got {
		if s := b.Share; s.Low > s.Likely || s.Likely > s.High || s.Low < 0 || s.High > 1 {
			t.Errorf("%d: %+v is no range", i, s)
		}
	}
	// 720 × 0.5 %, 80 × 98 %, and a tenth of the 200 that nothing is known of.
	if likely := got[0].Share.Likely; likely < 0.101 || likely > 0.103 {
		t.Errorf("as it is: likely %v, want 0.102", likely)
	}
	if last := got[3].Share; last.Likely != 0.005 || last.High != 0.02 {
		t.Errorf("deliverable ones alone: %+v", last)
	}
	if got := estimateBounces(&Counts{Done: 5, Reasons: map[verdict.Reason]int64{verdict.MailboxNotFound: 5}}); len(got) != 1 {
		t.Errorf("of dead rows only: %+v, want one estimate", got)
	}
	if low, high := wilson(0, 0); low != 0 || high != 1 {
		t.Errorf("wilson(0, 0) = %v, %v, want 0, 1", low, high)
	}
}

// TestWorst keeps those domains that have the most, however many there are.
func TestWorst(t *testing.T) {
	var w worst
	for i := range uint32(3 * worstPlaces) {
		w.add(&Outcome{Reason: verdict.MailboxNotFound, domain: 10 + i, rows: 1})
		if i%4 == 0 {
			w.add(&Outcome{Reason: verdict.NullMX, domain: 1, rows: 2})
		}
		w.add(&Outcome{Reason: verdict.MailboxAccepted, domain: 2, rows: 100})
	}
	if len(w.rows) > worstPlaces || w.rows[1] < worstPlaces {
		t.Errorf("%d domains kept, the worst with %d of %d rows", len(w.rows), w.rows[1], 3*worstPlaces/2)
	}
	if _, kept := w.rows[2]; kept {
		t.Error("a domain without undeliverable rows is among the worst")
	}
}

func FuzzDecodeRecords(f *testing.F) {
	o := outcomeOf(answer("ada@a.test", verdict.MailboxAccepted))
	f.Add(encodeOutcome(nil, o))
	f.Add(encodeBlock(nil, block{[]packed{{7, encodeOutcome(nil, o)}, {9, nil}}}))
	f.Add(encodeWait(nil, wait{question: question{row: 1, rows: 2, text: "ada@a.test"}, first: time.UnixMilli(1), outcome: o}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o, err := decodeOutcome(b); err == nil {
			if again, err := decodeOutcome(encodeOutcome(nil, o)); err != nil || again != o {
				t.Errorf("decodeOutcome(%x) = %+v, again %+v, %v", b, o, again, err)
			}
		} else if !errors.Is(err, errDecode) {
			t.Errorf("decodeOutcome(%x) = %v, want %v", b, err, errDecode)
		}
		if bl, err := decodeBlock(b); err == nil {
			if again, err := decodeBlock(encodeBlock(nil, bl)); err != nil || len(again.rows) != len(bl.rows) {
				t.Errorf("decodeBlock(%x) = %+v, again %+v, %v", b, bl, again, err)
			}
		}
		if w, err := decodeWait(b); err == nil {
			if again, err := decodeWait(encodeWait(nil, w)); err != nil || again != w {
				t.Errorf("decodeWait(%x) = %+v, again %+v, %v", b, w, again, err)
			}
		}
	})
}
