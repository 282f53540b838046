package api

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/verimails/verimaild/client/apitype"
)

func TestHealthAndVersion(t *testing.T) {
	s := serve(t, Options{Version: apitype.Version{Version: "v1.2.3", Commit: "abc", Go: "go1.26", OS: "linux", Arch: "amd64"}})
	for _, tt := range []struct{ path, want string }{
		{"/healthz", `{"status":"ok"}`},
		{"/readyz", `{"ready":true,"problems":[],"error":null}`},
		{"/v1/version", `{"version":"v1.2.3","commit":"abc","built":"","go":"go1.26","os":"linux","arch":"amd64"}`},
	} {
		t.Run(tt.path, func(t *testing.T) {
			got := s.request(t, http.MethodGet, tt.path, "")
			if got.StatusCode != 200 || string(got.body) != tt.want+"\n" {
				t.Errorf("GET %s = %d %s, want 200 %s", tt.path, got.StatusCode, got.body, tt.want)
			}
		})
	}
}

func TestReady(t *testing.T) {
	var problems atomic.Pointer[[]apitype.Problem]
	problems.Store(&[]apitype.Problem{{Code: "egress_blocked", Message: "egress.sender is not set"}})
	s := serve(t, Options{Ready: func() (bool, []apitype.Problem) { p := *problems.Load(); return len(p) == 0, p }})

	got := s.request(t, http.MethodGet, "/readyz", "")
	var r apitype.Ready
	if err := json.Unmarshal(got.body, &r); err != nil {
		t.Fatal(err)
	}
	if got.StatusCode != 503 || r.Ready || r.Error == nil || r.Error.Code != apitype.CodeNotReady {
		t.Errorf("not ready: %d %s, want 503 with the code not_ready", got.StatusCode, got.body)
	}
	if len(r.Problems) != 1 || r.Problems[0].Message != "egress.sender is not set" {
		t.Errorf("problems = %+v, want the one that Ready gave", r.Problems)
	}
	if h := s.request(t, http.MethodGet, "/healthz", ""); h.StatusCode != 200 {
		t.Errorf("not ready: GET /healthz = %d, want 200", h.StatusCode)
	}

	problems.Store(&[]apitype.Problem{})
	if got := s.request(t, http.MethodGet, "/readyz", ""); got.StatusCode != 200 {
		t.Errorf("ready: GET /readyz = %d, want 200", got.StatusCode)
	}
}

func TestVerifyWhileNotReady(t *testing.T) {
	s := serve(t, Options{Ready: func() (bool, []apitype.Problem) { return false, nil }})
	answerOf(t, s.request(t, http.MethodGet, "/v1/verify?email=a@b.example", "")) // Syntax and DNS answers are complete.
}
