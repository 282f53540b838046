package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"testing"

	"github.com/verimails/verimaild/client/apitype"
)

func TestStatusRoute(t *testing.T) {
	s := serve(t, Options{
		Verifier: verifierFunc(reasons),
		Status:   func() apitype.Status { return apitype.Status{Ready: true, Version: "v1"} },
	}, notAdmins)
	s.accounts.Replace(Apps{List: []App{{Name: "a", UID: new(os.Geteuid()), Rule: "apps[0]"}, {Name: "b", UID: new(7)}}})
	s.request(t, http.MethodGet, "/v1/verify?email=x", "")
	s.request(t, http.MethodGet, "/v1/verify?email=cached", "")
	get := func() (st apitype.Status) {
		t.Helper()
		if err := json.Unmarshal(s.request(t, http.MethodGet, "/v1/status", "").body, &st); err != nil {
			t.Fatal(err)
		}
		return st
	}
	st := get()
	if !st.Ready || st.Version != "v1" || st.Work.Connections != 1 || len(st.Apps) != 1 || st.Apps[0].Asked != 1 || st.Apps[0].Cached != 1 {
		t.Errorf("status = %+v, want what the daemon says, one connection, and what its own application got", st)
	}
	s.Drain()
	if st := get(); st.Ready || len(st.Problems) != 1 || st.Problems[0].Code != apitype.CodeShuttingDown {
		t.Errorf("status while stopping = %+v, want not ready, shutting_down", st)
	}
}

func TestReloadRoute(t *testing.T) {
	var err error
	s := serve(t, Options{Reload: func(context.Context) ([]string, error) { return []string{"socket.path"}, err }})
	for _, tt := range []struct {
		name   string
		err    error
		status int
		code   string
	}{
		{"applied", nil, 200, ""},
		{"faults", errors.New("egress.port: 0"), 409, apitype.CodeInvalidConfig},
		{"busy", ErrBusy, 503, apitype.CodeBusy},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err = tt.err
			got := s.request(t, http.MethodPost, "/v1/reload", "")
			if got.StatusCode != tt.status || tt.code != "" && errorOf(t, got.body).Code != tt.code {
				t.Errorf("POST /v1/reload = %d %s, want %d %s", got.StatusCode, got.body, tt.status, tt.code)
			}
		})
	}
}
