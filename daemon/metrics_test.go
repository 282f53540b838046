package daemon

import (
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/verimails/verimaild/config"
)

// scrape gets path from the listener of the metrics.
func scrape(t *testing.T, address, path string) (status int, body string) {
	t.Helper()
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: tr}).Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// freeAddress is a loopback address that nobody listens on, a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestMetrics(t *testing.T) {
	address := freeAddress(t)
	r := start(t, smallWorld(t), func(c *config.Config) { c.Metrics.Listen = address })
	for _, email := range []string{"ada@example.test", "ada@example.test", "nobody@example.test", "no address"} {
		r.ask(t, email)
	}
	_, text := scrape(t, address, "/metrics")
	for _, want := range []string{
		`verimaild_api_answers_total{app="default",cached="false",reason="mailbox_accepted",verdict="deliverable"} 1`,
		`verimaild_api_answers_total{app="default",cached="true",reason="mailbox_accepted",verdict="deliverable"} 1`,
		`verimaild_api_answers_total{app="default",cached="false",reason="mailbox_not_found",verdict="undeliverable"} 1`,
		`verimaild_api_answers_total{app="default",cached="false",reason="invalid_syntax",verdict="undeliverable"} 1`,
		`verimaild_api_requests_total{route="POST /v1/verify",status="2xx"} 4`,
		`verimaild_verify_seconds_count{cached="true"} 1`,
		`verimaild_maildns_lookup_seconds_count 1`,
		`verimaild_pool_connect_seconds_count 1`,
		`verimaild_pool_greeting_seconds_count 1`,
		`verimaild_pool_queue_seconds_count 3`,
		`verimaild_pool_reply_seconds_count 3`,
		`verimaild_pool_replies_total{class="accepted",provider="none"} 1`,
		`verimaild_pool_replies_total{class="no_such_mailbox",provider="none"} 2`,
		`verimaild_pool_source_sessions{source="a"} 1`,
		`verimaild_cache_lookups_total{kind="mailbox",tier="memory"}`,
		`verimaild_store_bytes{store="state"}`,
		`verimaild_ready 1`,
		`go_goroutines`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	for _, secret := range []string{"ada@", "example.test"} {
		if strings.Contains(text, secret) {
			t.Errorf("the metrics show %s", secret)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "verimaild_") {
			t.Errorf("promlint: %s: %s", p.Metric, p.Text)
		}
	}
	if _, err := r.metrics.registry.Gather(); err != nil {
		t.Error(err)
	}
}

// TestMetricsListener: on TCP there are numbers and health, and nothing else.
func TestMetricsListener(t *testing.T) {
	address := freeAddress(t)
	r := start(t, smallWorld(t), func(c *config.Config) { c.Metrics.Listen = address })
	for path, want := range map[string]int{
		"/healthz": 200, "/readyz": 200, "/metrics": 200, "/metrics?x=1": 400, "/metrics/": 404,
		"/v1/verify?email=ada@example.test": 404, "/v1/status": 404, "/v1/version": 404, "/": 404,
	} {
		if got, body := scrape(t, address, path); got != want {
			t.Errorf("GET %s = %d %s, want %d", path, got, body, want)
		}
	}
	resp, err := http.Post("http://"+address+"/v1/reload", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if resp.StatusCode != 404 {
		t.Errorf("POST /v1/reload on TCP = %d, want 404", resp.StatusCode)
	}
	if n := r.PoolStats().Recipients; n != 0 {
		t.Errorf("%d recipients were asked about over TCP", n)
	}
}

// TestDocsMetrics: docs/operations.md names every metric of ours, and no other.
func TestDocsMetrics(t *testing.T) {
	doc := readFile(t, "../docs/metrics.md")
	r := start(t, smallWorld(t))
	r.ask(t, "ada@example.test")
	r.ask(t, "no address")
	names := map[string]bool{}
	for _, f := range families {
		names[f.name] = true
	}
	got, err := r.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range got {
		if strings.HasPrefix(f.GetName(), "verimaild_") {
			names[f.GetName()] = true
		}
	}
	for name := range names {
		if !strings.Contains(doc, "`"+name+"`") {
			t.Errorf("docs/metrics.md does not name %s", name)
		}
	}
	for _, m := range regexp.MustCompile("`(verimaild_[a-z_]+)`").FindAllStringSubmatch(doc, -1) {
		if !names[m[1]] {
			t.Errorf("docs/metrics.md names %s, which does not exist", m[1])
		}
	}
	checkDashboard(t, names)
}
