package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// TestVerifyRequest follows the fields of a question from the socket to the verifier.
func TestVerifyRequest(t *testing.T) {
	asked := make(chan verify.Request, 1)
	s := serve(t, Options{Verifier: verifierFunc(func(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
		asked <- req
		return echo(ctx, req)
	})})
	want := verify.Request{
		Email: "ada+50%/jörg@例え.jp", Deadline: 2 * time.Second, MaxAge: time.Hour, Depth: verify.DepthDNS, Wait: true,
		App: DefaultApp, Weight: 1,
	}
	for _, tt := range []struct{ name, method, target, body string }{
		{"GET", "GET", "/v1/verify?email=ada+50%25/jörg@例え.jp&deadline=2s&max_age=1h&depth=dns&wait=true", ""},
		{"GET, escaped", "GET", "/v1/verify?email=" + url.QueryEscape(want.Email) + "&deadline=2s&max_age=1h&depth=dns&wait=true", ""},
		{"POST", "POST", "/v1/verify", `{"email":"ada+50%/jörg@例え.jp","deadline":"2s","max_age":"1h","depth":"dns","wait":true}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := answerOf(t, s.request(t, tt.method, tt.target, tt.body))
			got := <-asked
			got.Admit, got.ID = nil, "" // Not comparable.
			if !reflect.DeepEqual(got, want) {
				t.Errorf("the verifier was asked %+v, want %+v", got, want)
			}
			if a.Email != want.Email {
				t.Errorf("email = %q, want %q", a.Email, want.Email)
			}
		})
	}
}

// TestBadAddressIsAnAnswer: what is wrong with an address is the verifier's to say.
func TestBadAddressIsAnAnswer(t *testing.T) {
	s := serve(t, Options{})
	long := strings.Repeat("a", 60<<10)
	for _, tt := range []struct{ name, method, target, body, email string }{
		{"garbage", "GET", "/v1/verify?email=%20@@%00", "", " @@\x00"},
		{"injection", "POST", "/v1/verify", `{"email":"a\r\nRCPT TO:<b@c>@d"}`, "a\r\nRCPT TO:<b@c>@d"},
		{"60 kB", "POST", "/v1/verify", `{"email":"` + long + `"}`, long},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if a := answerOf(t, s.request(t, tt.method, tt.target, tt.body)); a.Email != tt.email {
				t.Errorf("email = %.60q, want %.60q", a.Email, tt.email)
			}
		})
	}
}

func TestVerifyErrors(t *testing.T) {
	for _, tt := range []struct {
		name   string
		verify verifierFunc
		status int
		code   string
		logged bool
	}{
		{"fault of ours", func(context.Context, verify.Request) (*verdict.Answer, error) {
			return nil, errors.New("badger: the secret path")
		}, 500, apitype.CodeInternal, true},
		{"panic", func(context.Context, verify.Request) (*verdict.Answer, error) {
			panic("the secret path")
		}, 500, apitype.CodeInternal, true},
		{"out of time", func(context.Context, verify.Request) (*verdict.Answer, error) {
			return nil, context.DeadlineExceeded
		}, 504, apitype.CodeDeadline, false},
		{"cancelled by nobody", func(context.Context, verify.Request) (*verdict.Answer, error) {
			return nil, context.Canceled
		}, 500, apitype.CodeInternal, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			core, logs := observer.New(zap.ErrorLevel)
			s := serve(t, Options{Verifier: tt.verify, Logger: zap.New(core)})
			got := s.request(t, http.MethodGet, "/v1/verify?email=a@b", "")
			e := errorOf(t, got.body)
			if got.StatusCode != tt.status || e.Code != tt.code {
				t.Errorf("status, code = %d, %s, want %d, %s", got.StatusCode, e.Code, tt.status, tt.code)
			}
			if strings.Contains(string(got.body), "secret") {
				t.Errorf("the reply tells what is inside: %s", got.body)
			}
			id := got.Header.Get("X-Request-Id")
			found := logs.FilterField(zap.String("request_id", id)).Len() > 0
			if found != tt.logged {
				t.Errorf("an error was logged under %s: %t, want %t", id, found, tt.logged)
			}
			// The daemon lives on.
			if r := s.request(t, http.MethodGet, "/healthz", ""); r.StatusCode != 200 {
				t.Errorf("after it, GET /healthz = %d, want 200", r.StatusCode)
			}
		})
	}
}

func TestLogsNoAddress(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	s := serve(t, Options{Logger: zap.New(core)})
	s.request(t, http.MethodGet, "/v1/verify?email=ada@example.com", "")
	s.request(t, http.MethodPost, "/v1/verify", `{"email":"ada@example.com"}`)
	s.request(t, http.MethodPost, "/v1/verify", `{"email":"ada@example.com","nope":1}`)
	if n := logs.FilterMessage("request").Len(); n != 3 {
		t.Errorf("%d requests logged, want 3", n)
	}
	for _, e := range logs.All() {
		for _, f := range e.Context {
			if strings.Contains(f.String, "ada@") {
				t.Errorf("%s logs an address: %s = %s", e.Message, f.Key, f.String)
			}
		}
	}
}

// BenchmarkSocket is a remembered answer on its whole way, client included.
func BenchmarkSocket(b *testing.B) {
	answer := ada()
	answer.Evidence[0].Dialogue = nil
	s := serve(b, Options{Verifier: verifierFunc(func(context.Context, verify.Request) (*verdict.Answer, error) { return answer, nil })})
	s.client.Transport.(*http.Transport).MaxIdleConnsPerHost = 64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.request(b, http.MethodGet, "/v1/verify?email=Ada@Example.com", "")
		}
	})
}

// BenchmarkVerify is a remembered answer from the parsed request to the written reply.
func BenchmarkVerify(b *testing.B) {
	answer := ada()
	answer.Evidence[0].Dialogue = nil
	s := New(Options{Verifier: verifierFunc(func(context.Context, verify.Request) (*verdict.Answer, error) { return answer, nil })})
	req, err := http.NewRequestWithContext(withPeer(b.Context(), s.accounts, unknownPeer()), http.MethodGet, "/v1/verify?email=Ada@Example.com", http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(&nowhereWriter{header: http.Header{}}, req)
	}
}

// nowhereWriter is a ResponseWriter that costs nothing.
type nowhereWriter struct{ header http.Header }

func (w *nowhereWriter) Header() http.Header         { return w.header }
func (w *nowhereWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *nowhereWriter) WriteHeader(int)             {}
