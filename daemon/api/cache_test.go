package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// newCache is a cache that leaves nothing behind.
func newCache(t testing.TB) *cache.Cache {
	t.Helper()
	stores, err := store.Open(store.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stores.Close(); err != nil {
			t.Error(err)
		}
	})
	c, err := cache.New(cache.Options{Stores: stores})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// learn remembers that an address was accepted, and its domain's mail hosts and habit.
func learn(t testing.TB, c *cache.Cache, email string) address.Address {
	t.Helper()
	a, err := address.Parse(email)
	if err != nil {
		t.Fatal(err)
	}
	token, now := c.Begin(a), time.Now()
	c.PutHosts(token, maildns.MailHosts{
		Domain: a.Domain(), Status: maildns.Found, TTL: time.Hour, At: now, Server: "127.0.0.53:53",
		Hosts: []maildns.Host{{Name: "mx." + a.Domain().ASCII(), Preference: 10, Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.25")}}},
	})
	control := verdict.Evidence{Stage: "rcpt", Control: true, MX: "mx." + a.Domain().ASCII(), Code: 550, Text: "User unknown", At: now}
	if err := c.PutDomain(token, a.Domain(), verdict.DomainFact{AcceptsAll: verdict.False, CheckedAt: now, Evidence: []verdict.Evidence{control}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.PutMailbox(token, a, verdict.Mailbox{Reason: verdict.MailboxAccepted, AcceptAll: verdict.AcceptAllTested, CheckedAt: now}); err != nil {
		t.Fatal(err)
	}
	if !remembered(c, a) {
		t.Fatalf("%s is not remembered", email)
	}
	return a
}

func remembered(c *cache.Cache, a address.Address) bool {
	_, f := c.Mailbox(a)
	return f != verdict.Missing
}

// cacheRoutes are all requests about what is remembered.
var cacheRoutes = []struct{ method, target, body string }{
	{"GET", "/v1/domains/example.com", ""},
	{"DELETE", "/v1/domains/example.com", ""},
	{"DELETE", "/v1/addresses/ada@example.com", ""},
	{"GET", "/v1/cache", ""},
	{"DELETE", "/v1/cache", ""},
	{"GET", "/v1/cache/export", ""},
	{"POST", "/v1/cache/import", "{}\n"},
}

func TestCacheDisabled(t *testing.T) {
	s := serve(t, Options{})
	for _, tt := range cacheRoutes {
		t.Run(tt.method+tt.target, func(t *testing.T) {
			got := s.request(t, tt.method, tt.target, tt.body)
			if e := errorOf(t, got.body); got.StatusCode != http.StatusConflict || e.Code != apitype.CodeCacheDisabled {
				t.Errorf("= %d %s, want 409 cache_disabled", got.StatusCode, e.Code)
			}
		})
	}
}

// TestCacheNeedsAdmin: whoever is neither root nor the daemon's user is told which scope is missing, and changes nothing.
func TestCacheNeedsAdmin(t *testing.T) {
	c := newCache(t)
	a := learn(t, c, "ada@example.com")
	nobody := peer{UID: 65534, GID: 65534}
	s := serve(t, Options{Cache: c}, func(s *Server) {
		s.http.ConnContext = func(ctx context.Context, _ net.Conn) context.Context {
			return withPeer(ctx, s.accounts, nobody)
		}
	})
	for _, tt := range cacheRoutes {
		t.Run(tt.method+tt.target, func(t *testing.T) {
			got := s.request(t, tt.method, tt.target, tt.body)
			e := errorOf(t, got.body)
			if got.StatusCode != http.StatusForbidden || e.Code != apitype.CodeForbidden || !strings.Contains(e.Message, "admin") || !strings.Contains(e.Message, "65534") {
				t.Errorf("= %d %s %q, want 403 forbidden naming admin and the uid", got.StatusCode, e.Code, e.Message)
			}
		})
	}
	if !remembered(c, a) {
		t.Error("the address was forgotten all the same")
	}
}

func TestForgetAddress(t *testing.T) {
	for _, tt := range []struct{ name, email, target string }{
		{"plain", "ada@example.com", "ada@example.com"},
		{"domain in capitals", "ada@example.com", "ada@EXAMPLE.com"},
		{"plus", "ada+news@example.com", "ada+news@example.com"},
		{"escaped plus", "ada+news@example.com", "ada%2Bnews%40example.com"},
		{"escaped slash", "a/b@example.com", "a%2Fb@example.com"},
		{"escaped percent", "a%2Fb@example.com", "a%252Fb@example.com"},
		{"slashes and a dot", "a/./b@example.com", "a%2F.%2Fb@example.com"},
		{"UTF-8", "jörg@例え.jp", "j%C3%B6rg@%E4%BE%8B%E3%81%88.jp"},
		{"raw UTF-8", "jörg@例え.jp", "jörg@例え.jp"},
		{"A-labels", "jörg@例え.jp", "j%C3%B6rg@xn--r8jz45g.jp"},
		{"quoted", `"a b@c"@example.com`, `%22a%20b@c%22@example.com`},
		{"quoted needlessly", "ada@example.com", "%22ada%22@example.com"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCache(t)
			a, other := learn(t, c, tt.email), learn(t, c, "other@example.com")
			s := serve(t, Options{Cache: c})
			for _, want := range []string{`{"records":1}`, `{"records":0}`} { // Forgetting twice is no error.
				got := s.request(t, http.MethodDelete, "/v1/addresses/"+tt.target, "")
				if got.StatusCode != http.StatusOK || strings.TrimSpace(string(got.body)) != want {
					t.Errorf("DELETE = %d %s, want 200 %s", got.StatusCode, got.body, want)
				}
			}
			if remembered(c, a) {
				t.Errorf("%s is still remembered", tt.email)
			}
			if !remembered(c, other) {
				t.Error("another address was forgotten too")
			}
		})
	}
}

func TestForgetDomain(t *testing.T) {
	for _, tt := range []struct{ name, email, target string }{
		{"plain", "ada@example.com", "example.com"},
		{"capitals", "ada@example.com", "Example.COM"},
		{"UTF-8", "ada@例え.jp", "%E4%BE%8B%E3%81%88.jp"},
		{"A-labels", "ada@例え.jp", "xn--r8jz45g.jp"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCache(t)
			a, other := learn(t, c, tt.email), learn(t, c, "other@example.org")
			s := serve(t, Options{Cache: c})
			for _, want := range []string{`{"records":3}`, `{"records":0}`} {
				got := s.request(t, http.MethodDelete, "/v1/domains/"+tt.target, "")
				if got.StatusCode != http.StatusOK || strings.TrimSpace(string(got.body)) != want {
					t.Errorf("DELETE = %d %s, want 200 %s", got.StatusCode, got.body, want)
				}
			}
			if _, f := c.Hosts(a.Domain()); f != verdict.Missing || remembered(c, a) {
				t.Errorf("%s is still remembered", tt.email)
			}
			if !remembered(c, other) {
				t.Error("another domain was forgotten too")
			}
		})
	}
}

func TestForgetAll(t *testing.T) {
	c := newCache(t)
	a, b := learn(t, c, "ada@example.com"), learn(t, c, "bob@example.org")
	s := serve(t, Options{Cache: c})
	got := s.request(t, http.MethodDelete, "/v1/cache", "")
	if got.StatusCode != http.StatusOK || strings.TrimSpace(string(got.body)) != `{"records":null}` {
		t.Errorf("DELETE = %d %s, want 200 with records null", got.StatusCode, got.body)
	}
	if remembered(c, a) || remembered(c, b) {
		t.Error("something is still remembered")
	}
}

func TestBadSegments(t *testing.T) {
	s := serve(t, Options{Cache: newCache(t)})
	for _, tt := range []struct {
		name, method, target string
		status               int
		code, names          string
	}{
		{"no at sign", "DELETE", "/v1/addresses/ada", 400, apitype.CodeInvalidField, "column"},
		{"two dots", "DELETE", "/v1/addresses/a..b@example.com", 400, apitype.CodeInvalidField, "column 3"},
		{"line break", "DELETE", "/v1/addresses/a%0D%0Ab@example.com", 400, apitype.CodeInvalidField, "column 2"},
		{"NUL", "DELETE", "/v1/addresses/a%00@example.com", 400, apitype.CodeInvalidField, "column 2"},
		{"not UTF-8", "DELETE", "/v1/addresses/a%FF@example.com", 400, apitype.CodeInvalidField, "byte 1"},
		{"15 kB", "DELETE", "/v1/addresses/" + strings.Repeat("a", 15<<10), 400, apitype.CodeInvalidField, "column"},
		{"query", "DELETE", "/v1/addresses/ada@example.com?x=1", 400, apitype.CodeUnknownField, "query"},
		{"query of everything", "DELETE", "/v1/cache?domain=example.com", 400, apitype.CodeUnknownField, "query"},
		{"raw slash", "DELETE", "/v1/addresses/a/b@example.com", 404, apitype.CodeNotFound, ""},
		{"nothing", "DELETE", "/v1/addresses/", 404, apitype.CodeNotFound, ""},
		{"read an address", "GET", "/v1/addresses/ada@example.com", 405, apitype.CodeMethodNotAllowed, "DELETE"},
		{"domain without a dot", "GET", "/v1/domains/localhost", 400, apitype.CodeInvalidField, "column"},
		{"domain with an underscore at the end", "GET", "/v1/domains/example.com%2F", 400, apitype.CodeInvalidField, "column 12"},
		{"address for a domain", "DELETE", "/v1/domains/ada@example.com", 400, apitype.CodeInvalidField, "column 4"},
		{"dots for a domain", "GET", "/v1/domains/%2e%2e", 400, apitype.CodeInvalidField, "column"},
		{"unknown domain", "GET", "/v1/domains/example.com", 404, apitype.CodeNotRemembered, "example.com"},
		{"literal", "DELETE", "/v1/addresses/a@[192.0.2.1]", 200, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := s.request(t, tt.method, tt.target, "")
			e := errorOf(t, got.body)
			if got.StatusCode != tt.status || e.Code != tt.code || !strings.Contains(e.Message, tt.names) {
				t.Errorf("%s %.60s = %d %s %q, want %d %s naming %q", tt.method, tt.target, got.StatusCode, e.Code, e.Message, tt.status, tt.code, tt.names)
			}
			if len(got.body) > 1000 {
				t.Errorf("the error has %d bytes", len(got.body))
			}
		})
	}
}

func TestDomainRecord(t *testing.T) {
	c := newCache(t)
	a := learn(t, c, "ada@例え.jp")
	s := serve(t, Options{Cache: c})
	got := s.request(t, http.MethodGet, "/v1/domains/例え.jp", "")
	var r apitype.DomainRecord
	if err := json.Unmarshal(got.body, &r); err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("GET = %d %s, %v", got.StatusCode, got.body, err)
	}
	if r.Domain != "xn--r8jz45g.jp" || r.MailHosts == nil || r.Habit == nil || !r.ContradictedAt.IsZero() {
		t.Fatalf("GET = %s, want mail hosts and habit of the A-labels", got.body)
	}
	h := r.MailHosts
	if h.Status != "found" || len(h.Hosts) != 1 || h.Hosts[0].Addresses[0] != "192.0.2.25" || h.Freshness != "fresh" || h.ExpiresAt.Sub(h.CheckedAt) != 24*time.Hour {
		t.Errorf("mail_hosts = %+v, want one host, fresh, for a day", h)
	}
	b := r.Habit
	if b.AcceptsAll == nil || *b.AcceptsAll || len(b.Evidence) != 1 || !b.Evidence[0].Control || b.Freshness != "fresh" || b.ExpiresAt.Sub(b.CheckedAt) != 14*24*time.Hour {
		t.Errorf("habit = %+v, want false with its evidence, fresh, for 14 days", b)
	}
	c.Contradict(a.Domain())
	if err := json.Unmarshal(s.request(t, http.MethodGet, "/v1/domains/例え.jp", "").body, &r); err != nil || r.Habit != nil || r.ContradictedAt.IsZero() {
		t.Errorf("after a contradiction: %+v, %v, want no habit and the time of it", r, err)
	}
}

func TestCacheStats(t *testing.T) {
	c := newCache(t)
	a := learn(t, c, "ada@example.com")
	s := serve(t, Options{Cache: c})
	stats := func() (st apitype.CacheStats) {
		t.Helper()
		got := s.request(t, http.MethodGet, "/v1/cache", "")
		if err := json.Unmarshal(got.body, &st); err != nil || got.StatusCode != http.StatusOK {
			t.Fatalf("GET = %d %s, %v", got.StatusCode, got.body, err)
		}
		return st
	}
	before := stats()
	if before.Degraded || !before.Disk.InUse || before.Memory.Entries != 3 || before.Memory.Bytes == 0 || len(before.Lookups) != 3 {
		t.Errorf("GET = %+v, want 3 entries, not degraded, 3 kinds", before)
	}
	c.Mailbox(a)
	missing, err := address.Parse("bob@example.com")
	if err != nil {
		t.Fatal(err)
	}
	c.Mailbox(missing)
	after := stats()
	if got, want := after.Lookups[0].Memory, before.Lookups[0].Memory+1; after.Lookups[0].Kind != "mailbox" || got != want {
		t.Errorf("mailboxes found in memory = %d, want %d", got, want)
	}
	if got, want := after.Total.Misses, before.Total.Misses+1; got != want {
		t.Errorf("misses = %d, want %d", got, want)
	}
}

func TestDegraded(t *testing.T) {
	for _, tt := range []struct {
		name string
		st   store.Stats
		want bool
	}{
		{"in use", store.Stats{InUse: true}, false},
		{"no room at the start", store.Stats{}, true},
		{"no room now", store.Stats{InUse: true, Full: true}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := wireCacheStats(&cache.Stats{Store: tt.st}).Degraded; got != tt.want {
				t.Errorf("degraded = %t, want %t", got, tt.want)
			}
		})
	}
}

// TestAudit: each change is on record with who asked for it and how many records it was; no address is above debug.
func TestAudit(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	c := newCache(t)
	learn(t, c, "ada@example.com")
	s := serve(t, Options{Cache: c, Logger: zap.New(core)})
	for _, tt := range []struct {
		method, target, body, message string
		records                       any // nil = not counted.
	}{
		{"GET", "/v1/cache/export", "", "cache exported", int64(2)},
		{"DELETE", "/v1/addresses/ada@example.com", "", "address forgotten", int64(1)},
		{"DELETE", "/v1/domains/example.com", "", "domain forgotten", int64(2)},
		{"DELETE", "/v1/cache", "", "everything forgotten", nil},
		{"POST", "/v1/cache/import", exportHeader + "\n", "cache imported", int64(0)},
	} {
		t.Run(tt.message, func(t *testing.T) {
			resp, body := s.stream(t, tt.method, tt.target, strings.NewReader(tt.body))
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("status = %d: %s", resp.StatusCode, body)
			}
			entries := logs.FilterMessage(tt.message).All()
			if len(entries) != 1 {
				t.Fatalf("%d log lines %q, want 1", len(entries), tt.message)
			}
			fields := entries[0].ContextMap()
			if fields["records"] != tt.records || fields["uid"] != int64(os.Geteuid()) || fields["app"] != DefaultApp || fields["request_id"] == "" {
				t.Errorf("fields = %v, want %v records, our uid and application", fields, tt.records)
			}
		})
	}
	for _, e := range logs.All() {
		if line := fmt.Sprint(e.Message, e.ContextMap()); strings.Contains(line, "ada") {
			t.Errorf("an address is in the log above debug: %s", line)
		}
	}
}

// TestNoAddressInErrorLog: a fault of ours is logged as an error, with the route but not the path.
func TestNoAddressInErrorLog(t *testing.T) {
	core, logs := observer.New(zap.InfoLevel)
	stores, err := store.Open(store.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.New(cache.Options{Stores: stores})
	if err != nil {
		t.Fatal(err)
	}
	if err := stores.Close(); err != nil { // What is asked of it from now on fails.
		t.Fatal(err)
	}
	s := serve(t, Options{Cache: c, Logger: zap.New(core)})
	got := s.request(t, http.MethodDelete, "/v1/addresses/ada@example.com", "")
	if e := errorOf(t, got.body); got.StatusCode != 500 || e.Code != apitype.CodeInternal {
		t.Errorf("DELETE over a closed store = %d %s, want 500 internal_error", got.StatusCode, e.Code)
	}
	entries := logs.FilterMessage("request").All()
	if len(entries) != 1 || entries[0].ContextMap()["route"] != "DELETE /v1/addresses/{email}" {
		t.Errorf("log = %v, want one line with the route", entries)
	}
	for _, e := range logs.All() {
		if line := fmt.Sprint(e.Message, e.ContextMap()); strings.Contains(line, "ada@") {
			t.Errorf("an address is in the log above debug: %s", line)
		}
	}
}

const exportHeader = `{"kind":"verimaild-cache","version":1,"exported_at":"2026-11-23T09:00:00Z"}`

// stream sends a request and reads the reply, which may be a stream.
func (s *served) stream(t testing.TB, method, target string, body io.Reader) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://verimaild"+target, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

// TestTransfer carries what one daemon knows of domains to another, with the client.
func TestTransfer(t *testing.T) {
	const domains = 1000 // More than fits any buffer on the way.
	from, to := newCache(t), newCache(t)
	for i := range domains {
		learn(t, from, fmt.Sprintf("ada@d%d.example", i))
	}
	a, b := serve(t, Options{Cache: from}), serve(t, Options{Cache: to})
	ca, cb := client.Client{Socket: a.path}, client.Client{Socket: b.path}
	t.Cleanup(ca.CloseIdleConnections)
	t.Cleanup(cb.CloseIdleConnections)
	var file bytes.Buffer
	n, err := ca.ExportCache(t.Context(), &file)
	if err != nil || n != int64(file.Len()) || bytes.Count(file.Bytes(), []byte("\n")) != 1+2*domains {
		t.Fatalf("ExportCache() = %d, %v with %d lines in %d bytes, want %d lines", n, err, bytes.Count(file.Bytes(), []byte("\n")), file.Len(), 1+2*domains)
	}
	if bytes.Contains(file.Bytes(), []byte("ada")) {
		t.Error("the export names a mailbox")
	}
	whole := bytes.Clone(file.Bytes())
	res, err := cb.ImportCache(t.Context(), &file)
	if err != nil || res.Records != 2*domains || res.Expired != 0 {
		t.Fatalf("ImportCache() = %+v, %v, want %d records", res, err, 2*domains)
	}
	r, err := cb.Domain(t.Context(), "d999.example")
	if err != nil || r.Habit == nil || r.MailHosts == nil {
		t.Errorf("Domain() after the import = %+v, %v, want habit and mail hosts", r, err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	lines[500] = []byte("{\"kind\":\"domain\",\"domain\":\"d.example\",\"new\":1}\n")
	_, err = cb.ImportCache(t.Context(), bytes.NewReader(bytes.Join(lines, nil)))
	if e, ok := errors.AsType[*client.Error](err); !ok || e.Code != apitype.CodeInvalidLine || !strings.Contains(e.Message, "Line 501 ") || !strings.Contains(e.Message, `"new"`) {
		t.Errorf("ImportCache() of a bad line = %v, want invalid_line naming it and why", err)
	}
}

func TestBadImports(t *testing.T) {
	c := newCache(t)
	s := serve(t, Options{Cache: c}, func(s *Server) { s.bodyTimeout = 200 * time.Millisecond })
	for _, tt := range []struct {
		name, body string
		code       string
		names      string
	}{
		{"nothing", "", apitype.CodeInvalidLine, "Line 1 "},
		{"no header", "{\"kind\":\"domain\"}\n", apitype.CodeInvalidLine, "Line 1 "},
		{"later version", `{"kind":"verimaild-cache","version":99,"exported_at":"2026-11-23T09:00:00Z"}` + "\n", apitype.CodeInvalidLine, "Line 1 "},
		{"unknown kind", exportHeader + "\n\n{\"kind\":\"mailbox\"}\n", apitype.CodeInvalidLine, "Line 3 "},
		{"half a line", exportHeader + "\n{\"kind\":\"dom", apitype.CodeInvalidLine, "Line 2 "},
		{"a long line", exportHeader + "\n" + strings.Repeat("x", 300<<10), apitype.CodeInvalidLine, "Line 2 "},
		{"a long status", exportHeader + "\n" + `{"kind":"mail_hosts","domain":"a.example","ttl_s":1,"at":"2026-11-23T09:00:00Z","status":"` + strings.Repeat("é", 9<<10) + `"}`, apitype.CodeInvalidLine, "Line 2 "},
		{"bad, and 20 MB behind it", exportHeader + "\nx\n" + strings.Repeat("x\n", 10<<20), apitype.CodeInvalidLine, "Line 2 "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := s.request(t, http.MethodPost, "/v1/cache/import", tt.body)
			e := errorOf(t, got.body)
			if got.StatusCode != 400 || e.Code != tt.code || !strings.Contains(e.Message, tt.names) {
				t.Errorf("= %d %s %q, want 400 %s naming %q", got.StatusCode, e.Code, e.Message, tt.code, tt.names)
			}
			if len(got.body) > 1000 {
				t.Errorf("the error has %d bytes", len(got.body))
			}
		})
	}
	head := "POST /v1/cache/import HTTP/1.1\r\nHost: x\r\n"
	for _, tt := range []struct {
		name, request string
		status        int
		code          string
	}{
		{"stops halfway", head + "Content-Length: 1000\r\n\r\n" + exportHeader + "\n", 408, apitype.CodeBodyTimeout},
		{"broken chunk", head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400, apitype.CodeInvalidJSON},
		{"compressed", head + "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", 415, apitype.CodeUnsupportedMedia},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := s.raw(t, tt.request)
			if e := errorOf(t, got.body); got.StatusCode != tt.status || e.Code != tt.code {
				t.Errorf("status, code = %d, %s, want %d, %s", got.StatusCode, e.Code, tt.status, tt.code)
			}
		})
	}
}

// TestExportBreaksOff: a client that stops taking an export does not hold the daemon, and one whose export fails on its
// way sees that it is not whole.
func TestExportBreaksOff(t *testing.T) {
	c := newCache(t)
	for i := range 1500 {
		learn(t, c, fmt.Sprintf("ada@d%d.example", i))
	}
	s := serve(t, Options{Cache: c}, func(s *Server) { s.sendTimeout = 100 * time.Millisecond })
	conn := s.dial(t)
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /v1/cache/export HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 512)
	if _, err := io.ReadFull(conn, first); err != nil || !bytes.Contains(first, []byte("application/x-ndjson")) {
		t.Fatalf("read %q, %v, want the beginning of NDJSON", first, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.finishWork(ctx); err != nil { // Waits until no request is inside.
		t.Errorf("the export is still under way: %v", err)
	}
	rest, err := io.ReadAll(conn)
	if err != nil || bytes.HasSuffix(rest, []byte("0\r\n\r\n")) {
		t.Errorf("the rest ends %q, %v, want an end that is not that of a whole reply", rest[max(0, len(rest)-20):], err)
	}
}

func TestHeadExport(t *testing.T) {
	s := serve(t, Options{Cache: newCache(t)})
	resp, body := s.stream(t, http.MethodHead, "/v1/cache/export", nil)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/x-ndjson" || len(body) > 0 {
		t.Errorf("HEAD = %d %v, want 200, NDJSON, no body", resp.StatusCode, resp.Header)
	}
}
