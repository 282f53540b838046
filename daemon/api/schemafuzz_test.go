package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/daemon/bulk"
	"github.com/verimails/verimaild/daemon/ledger"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// fuzzEnv is for how long TestSchemaFuzz runs; 2s without it.
const fuzzEnv = "API_FUZZ"

// TestSchemaFuzz sends to every operation of the document what it describes, and what it does not: no reply is a fault
// of the daemon's, and each is one that the document speaks of.
func TestSchemaFuzz(t *testing.T) {
	length := 2 * time.Second
	if v := os.Getenv(fuzzEnv); v != "" {
		var err error
		if length, err = time.ParseDuration(v); err != nil {
			t.Fatal(err)
		}
	}
	s := serveEverything(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	f := &schemaFuzzer{Rand: rand.New(rand.NewPCG(seed, 0)), contract: readContract(), s: s}
	counts := map[int]int{}
	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); {
		counts[f.once(t)]++
	}
	t.Logf("replies by status: %v", counts)
	if counts[200] == 0 || counts[400] == 0 {
		t.Error("either all requests were good, or none was")
	}
	if r := s.request(t, http.MethodGet, "/healthz", ""); r.StatusCode != 200 {
		t.Errorf("after all that: GET /healthz = %d", r.StatusCode)
	}
}

// serveEverything serves an API that lacks nothing.
func serveEverything(t *testing.T) *served {
	t.Helper()
	stores, err := store.Open(store.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.New(cache.Options{Stores: stores})
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.New(ledger.Options{
		Cache: c, Stores: stores, Replies: reply.Builtin, Remembered: func(address.Address) verdict.Reason { return verdict.MailboxAccepted },
	})
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := bulk.New(bulk.Options{Dir: t.TempDir(), Store: stores.State(), Verifier: verifierFunc(echo)})
	if err != nil {
		t.Fatal(err)
	}
	jobs.Start(t.Context())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := jobs.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := stores.Close(); err != nil {
			t.Error(err)
		}
	})
	return serve(t, Options{
		Cache: c, Ledger: l, Jobs: jobs, Egress: func() Egress { return quietEgress{} }, Status: func() apitype.Status { return apitype.Status{Ready: true} },
		Reload:   func(context.Context) ([]string, error) { return []string{"socket.path"}, nil },
		Metrics:  http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/plain") }),
		Accounts: newAccounts(AccountsOptions{State: stores.State()}),
	})
}

// A quietEgress has one source.
type quietEgress struct{}

func (quietEgress) Egress(string, int) pool.Egress {
	return pool.Egress{Sources: []pool.SourceEgress{{Source: pool.Source{Name: "a", IPv4: netip.MustParseAddr("192.0.2.1")}}}}
}
func (quietEgress) Drain(name string) error  { return quietEgress{}.known(name) }
func (quietEgress) Resume(name string) error { return quietEgress{}.known(name) }

func (quietEgress) known(name string) error {
	if name != "a" {
		return pool.ErrUnknownSource
	}
	return nil
}

// A schemaFuzzer makes requests.
type schemaFuzzer struct {
	*rand.Rand
	contract *contract
	s        *served
	job      string // The id of a job, once there is one.
}

// pick is one of some.
func pick[T any](f *schemaFuzzer, list ...T) T { return list[f.IntN(len(list))] }

// once sends one request, holds its reply to the document, and returns its status.
func (f *schemaFuzzer) once(t *testing.T) int {
	t.Helper()
	paths := f.contract.root["paths"].(object)
	path := pick(f, slices.Sorted(maps.Keys(paths))...)
	method := pick(f, slices.Sorted(maps.Keys(paths[path].(object)))...)
	op := paths[path].(object)[method].(object)
	method = strings.ToUpper(method)
	if f.IntN(30) == 0 {
		method = pick(f, "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "X")
	}
	target := f.target(path, op)
	media, body := f.body(op)
	request := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %d\r\n\r\n%s", method, target, media, len(body), body)
	conn := f.s.dial(t)
	defer conn.Close()
	begun := time.Now()
	defer func() {
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%v for\n%.500q", took, request)
		}
	}()
	if _, err := io.WriteString(conn, request); err != nil {
		return 0 // It has been refused already.
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no reply to\n%.2000q: %v", request, err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") == "text/event-stream" {
		conn.Close() // Or closing the body would read the events to their end, and a job that is paused has none.
		return resp.StatusCode
	}
	reply, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("the reply to\n%.2000q\nbreaks off: %v", request, err)
	}
	if resp.StatusCode >= 500 {
		t.Errorf("%d %s, to\n%.2000q", resp.StatusCode, reply, request)
	}
	if resp.StatusCode == http.StatusCreated {
		var j struct{ ID string }
		if json.Unmarshal(reply, &j) == nil {
			f.job = j.ID
		}
	}
	u, err := url.ParseRequestURI(target)
	if err == nil && resp.Header.Get("X-Request-Id") != "" && !strings.HasSuffix(path, "/results") {
		f.contract.hold(t, &http.Request{Method: method, URL: u, Host: "x"}, resp, reply)
	}
	return resp.StatusCode
}

// target is a path with its parameters, and a query string.
func (f *schemaFuzzer) target(path string, op object) string {
	var query []string
	params, _ := op["parameters"].([]any)
	for _, p := range params {
		p := p.(object)
		name := p["name"].(string)
		if p["in"] == "path" {
			path = strings.ReplaceAll(path, "{"+name+"}", f.segment(name))
			continue
		}
		if f.IntN(3) > 0 && p["required"] != true {
			continue
		}
		value := f.text()
		if e, ok := p["schema"].(object)["enum"].([]any); ok && f.IntN(4) > 0 {
			value = pick(f, e...).(string)
		} else if f.IntN(2) == 0 {
			value = pick(f, "10s", "2026-11-23", "1", "true", "csv", "a")
		}
		query = append(query, name+"="+url.QueryEscape(value))
	}
	if f.IntN(20) == 0 {
		query = append(query, pick(f, "x=1", "%zz", "=", "email", "email=%", "&&", "a=b;c=d"))
	}
	if query == nil {
		return path
	}
	return path + "?" + strings.Join(query, "&")
}

func (f *schemaFuzzer) segment(name string) string {
	if name == "id" && f.job != "" && f.IntN(3) > 0 {
		return f.job
	}
	return pick(f, "a", "example.com", "ada@example.com", "%2e%2e", "a%2Fb", "%00", "%ff", "x%20y", "例え.jp", "..", strings.Repeat("x", 5000), url.PathEscape(f.text()))
}

// text is some text, often of a kind that is hard to take.
func (f *schemaFuzzer) text() string {
	return pick(f, "", "ada@example.com", "a@b", "\x00", "\xff\xfe", "ä@ö.example", `"`, "'", "0", "-1", "1e999", "9999999999999999999", "null", "\r\nX: y",
		strings.Repeat("a", 300)+"@example.com", strings.Repeat("x", 3000), "550 5.1.1 no such user", "1h", "24h", string(rune(f.IntN(0x10ffff))))
}

// body is a body that the operation takes, or something like it, with the header that says so.
func (f *schemaFuzzer) body(op object) (header, body string) {
	taken, ok := op["requestBody"].(object)
	if !ok {
		if f.IntN(30) > 0 {
			return "", ""
		}
		return "", f.text()
	}
	content := taken["content"].(object)
	media := pick(f, slices.Sorted(maps.Keys(content))...)
	schema := content[media].(object)["schema"].(object)
	lines := 1
	if media == ndjsonMedia {
		lines = f.IntN(20)
	}
	var b bytes.Buffer
	for range lines {
		b.Write(f.spoil(f.value(schema, 0)))
		b.WriteByte('\n')
	}
	header = "Content-Type: " + media + "\r\n"
	if f.IntN(30) == 0 {
		header = pick(f, "", "Content-Type: text/html\r\n", "Content-Type: ;;\r\n", "Content-Encoding: gzip\r\n", "Content-Encoding: br\r\n")
	}
	return header, b.String()
}

// spoil is JSON of v, or what a broken client makes of it.
func (f *schemaFuzzer) spoil(v any) []byte {
	if s, ok := v.(string); ok && f.IntN(2) == 0 {
		return []byte(s) // A list, a message: not JSON.
	}
	b, err := json.Marshal(v)
	if err != nil {
		return []byte("{")
	}
	switch f.IntN(12) {
	case 0:
		return b[:f.IntN(len(b)+1)]
	case 1:
		b[f.IntN(len(b))] = byte(f.IntN(256))
	case 2:
		return append(b, b...)
	case 3:
		return bytes.Repeat([]byte("["), 1+f.IntN(20000))
	case 4:
		return bytes.Repeat(b, 1+f.IntN(2000))
	}
	return b
}

// value is a value that a schema describes, or nearly.
func (f *schemaFuzzer) value(schema object, depth int) any {
	if f.IntN(25) == 0 || depth > 4 {
		return pick[any](f, nil, true, 7, -1.5, "x", []any{}, object{}, object{"a": object{"b": []any{1}}})
	}
	if ref, ok := schema["$ref"].(string); ok {
		return f.value(f.contract.root["components"].(object)["schemas"].(object)[strings.TrimPrefix(ref, "#/components/schemas/")].(object), depth)
	}
	if e, ok := schema["enum"].([]any); ok && f.IntN(5) > 0 {
		return pick(f, e...)
	}
	typ := schema["type"]
	if list, ok := typ.([]any); ok {
		typ = pick(f, list...)
	}
	switch typ {
	case "object":
		out := object{}
		props, _ := schema["properties"].(object)
		required, _ := schema["required"].([]any)
		for name, s := range props {
			if f.IntN(2) == 0 || slices.Contains(required, any(name)) {
				out[name] = f.value(s.(object), depth+1)
			}
		}
		if f.IntN(15) == 0 {
			out[f.text()] = f.text()
		}
		return out
	case "array":
		return []any{f.value(schema["items"].(object), depth+1)}
	case "integer", "number":
		return pick[any](f, 0, 1, 250, 550, -1, 1e300)
	case "boolean":
		return f.IntN(2) == 0
	case "null":
		return nil
	}
	return f.text()
}
