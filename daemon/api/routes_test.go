package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/verimails/verimaild/client/apitype"
)

func TestBadRequests(t *testing.T) {
	s := serve(t, Options{})
	for _, tt := range []struct {
		name, method, target, body string
		status                     int
		code, names                string
	}{
		{"unknown path", "GET", "/v1/verfy", "", 404, apitype.CodeNotFound, "/v1/verfy"},
		{"root", "GET", "/", "", 404, apitype.CodeNotFound, ""},
		{"trailing slash", "GET", "/v1/verify/", "", 404, apitype.CodeNotFound, ""},
		{"double slash", "GET", "//v1//verify?email=a@b", "", 404, apitype.CodeNotFound, ""},
		{"dot segments", "GET", "/v1/x/../verify?email=a@b", "", 404, apitype.CodeNotFound, ""},
		{"escaped dot segments", "GET", "/v1/%2e%2e/healthz", "", 404, apitype.CodeNotFound, ""},
		{"escaped slash", "GET", "/v1%2Fverify?email=a@b", "", 404, apitype.CodeNotFound, ""},
		{"case of the path", "GET", "/V1/verify?email=a@b", "", 404, apitype.CodeNotFound, ""},
		{"post to an unknown path", "POST", "/v2/verify", "{}", 404, apitype.CodeNotFound, ""},
		{"method with a body", "PUT", "/v1/verify", `{"email":"a@b"}`, 405, apitype.CodeMethodNotAllowed, "PUT"},
		{"method without a body", "DELETE", "/v1/verify?email=a@b", "", 405, apitype.CodeMethodNotAllowed, "DELETE"},
		{"OPTIONS", "OPTIONS", "/v1/verify", "", 405, apitype.CodeMethodNotAllowed, "OPTIONS"},
		{"made-up method", "FROB", "/healthz", "", 405, apitype.CodeMethodNotAllowed, "FROB"},
		{"post to a health check", "POST", "/readyz", "{}", 405, apitype.CodeMethodNotAllowed, ""},
		{"no address", "GET", "/v1/verify", "", 400, apitype.CodeMissingField, "email"},
		{"unknown parameter", "GET", "/v1/verify?email=a@b&x=1", "", 400, apitype.CodeUnknownField, `"x"`},
		{"repeated parameter", "GET", "/v1/verify?email=a@b&email=a@b", "", 400, apitype.CodeInvalidQuery, "email"},
		{"bad escape", "GET", "/v1/verify?email=%zz", "", 400, apitype.CodeInvalidQuery, "email"},
		{"not UTF-8", "GET", "/v1/verify?email=%ff@b", "", 400, apitype.CodeInvalidField, "UTF-8"},
		{"100 kB address in a GET", "GET", "/v1/verify?email=" + strings.Repeat("a", 100<<10), "", 414, apitype.CodeURITooLong, "16384"},
		{"long path", "GET", "/" + strings.Repeat("a", 20<<10), "", 414, apitype.CodeURITooLong, ""},
		{"query beside a body", "POST", "/v1/verify?email=a@b", `{"email":"a@b"}`, 400, apitype.CodeUnknownField, "query"},
		{"100 kB address in a POST", "POST", "/v1/verify", `{"email":"` + strings.Repeat("a", 100<<10) + `"}`, 413, apitype.CodeBodyTooLarge, "65536"},
		{"5 MB body", "POST", "/v1/verify", strings.Repeat("x", 5<<20), 413, apitype.CodeBodyTooLarge, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := s.request(t, tt.method, tt.target, tt.body)
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

func TestBadBodies(t *testing.T) {
	s := serve(t, Options{})
	for _, tt := range badBodies {
		t.Run(tt.name, func(t *testing.T) {
			got := s.request(t, http.MethodPost, "/v1/verify", tt.body)
			if e := errorOf(t, got.body); got.StatusCode != 400 || e.Code != tt.code {
				t.Errorf("status, code = %d, %s, want 400, %s", got.StatusCode, e.Code, tt.code)
			}
		})
	}
}

func TestAllow(t *testing.T) {
	s := serve(t, Options{})
	for _, tt := range []struct{ path, allow string }{
		{"/v1/verify", "GET, HEAD, POST"},
		{"/v1/version", "GET, HEAD"},
		{"/healthz", "GET, HEAD"},
		{"/readyz", "GET, HEAD"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			if got := s.request(t, http.MethodPatch, tt.path, "").Header.Get("Allow"); got != tt.allow {
				t.Errorf("PATCH %s: Allow = %q, want %q", tt.path, got, tt.allow)
			}
		})
	}
}

func TestHead(t *testing.T) {
	s := serve(t, Options{})
	for _, tt := range []struct {
		target string
		status int
	}{
		{"/healthz", 200},
		{"/readyz", 200},
		{"/v1/version", 200},
		{"/v1/verify?email=a@b.example", 200},
		{"/v1/verify", 400},
		{"/nowhere", 404},
	} {
		t.Run(tt.target, func(t *testing.T) {
			head := s.request(t, http.MethodHead, tt.target, "")
			get := s.request(t, http.MethodGet, tt.target, "")
			if head.StatusCode != tt.status || head.ContentLength != get.ContentLength {
				t.Errorf("HEAD = %d with length %d, want %d with length %d", head.StatusCode, head.ContentLength, tt.status, get.ContentLength)
			}
		})
	}
}

// TestRawRequests are requests that http.Client would not send.
func TestRawRequests(t *testing.T) {
	s := serve(t, Options{})
	for _, tt := range []struct {
		name, request string
		status        int
		code          string
	}{
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404, apitype.CodeNotFound},
		{"CONNECT", "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 404, apitype.CodeNotFound},
		{"absolute form", "GET http://elsewhere/v1/verify HTTP/1.1\r\nHost: x\r\n\r\n", 400, apitype.CodeMissingField},
		{"HTTP/1.0", "GET /v1/verify HTTP/1.0\r\n\r\n", 400, apitype.CodeMissingField},
		{"raw UTF-8", "GET /v1/verify?email=j\xc3\xb6rg@b&x HTTP/1.1\r\nHost: x\r\n\r\n", 400, apitype.CodeUnknownField},
		{"raw bytes that are not UTF-8", "GET /v1/verify?email=\xff@b HTTP/1.1\r\nHost: x\r\n\r\n", 400, apitype.CodeInvalidField},
		{"compressed body", "POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415, apitype.CodeUnsupportedMedia},
		{"chunked body", "POST /v1/verify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400, apitype.CodeMissingField},
		{"broken chunk", "POST /v1/verify HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, apitype.CodeInvalidJSON},
		{"body announced, 10 GB", "POST /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 10737418240\r\n\r\n{", 413, apitype.CodeBodyTooLarge},
		{"body nobody wants", "GET /v1/verify HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", 400, apitype.CodeMissingField},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := s.raw(t, tt.request)
			checkReply(t, got.Response, got.body, "")
			if e := errorOf(t, got.body); got.StatusCode != tt.status || e.Code != tt.code {
				t.Errorf("status, code = %d, %s, want %d, %s", got.StatusCode, e.Code, tt.status, tt.code)
			}
		})
	}
}

func TestRequestID(t *testing.T) {
	s := serve(t, Options{})
	for _, tt := range []struct {
		name, sent string
		kept       bool
	}{
		{"none", "", false},
		{"fit", "req-1.2_A", true},
		{"too long", strings.Repeat("a", 65), false},
		{"blanks and quotes", `a "b`, false},
		{"not ASCII", "jörg", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://v/healthz", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if tt.sent != "" {
				req.Header.Set("X-Request-Id", tt.sent)
			}
			if got := s.do(t, req).Header.Get("X-Request-Id"); (got == tt.sent) != tt.kept {
				t.Errorf("X-Request-Id %q came back as %q, want kept %t", tt.sent, got, tt.kept)
			}
		})
	}
	one := s.request(t, http.MethodGet, "/healthz", "").Header.Get("X-Request-Id")
	if two := s.request(t, http.MethodGet, "/healthz", "").Header.Get("X-Request-Id"); one == two {
		t.Errorf("two requests have the id %s", one)
	}
}
