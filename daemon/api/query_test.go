package api

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify"
)

func TestParseVerifyQuery(t *testing.T) {
	const none = -1 // MaxAge when nothing is said.
	for _, tt := range []struct {
		name, raw string
		want      verify.Request
	}{
		{"plain", "email=ada@example.com", verify.Request{Email: "ada@example.com", MaxAge: none}},
		{"raw plus is a plus", "email=ada+news@example.com", verify.Request{Email: "ada+news@example.com", MaxAge: none}},
		{"escaped plus is a plus", "email=ada%2Bnews@example.com", verify.Request{Email: "ada+news@example.com", MaxAge: none}},
		{"escaped percent", "email=a%25b@example.com", verify.Request{Email: "a%b@example.com", MaxAge: none}},
		{"decoded once", "email=a%2540b", verify.Request{Email: "a%40b", MaxAge: none}},
		{"slash, raw and escaped", "email=a/b%2Fc@example.com", verify.Request{Email: "a/b/c@example.com", MaxAge: none}},
		{"space is escaped", "email=%22a%20b%22@example.com", verify.Request{Email: `"a b"@example.com`, MaxAge: none}},
		{"raw UTF-8", "email=jörg@例え.jp", verify.Request{Email: "jörg@例え.jp", MaxAge: none}},
		{"escaped UTF-8", "email=j%C3%B6rg@example.com", verify.Request{Email: "jörg@example.com", MaxAge: none}},
		{"escaped ampersand and equals sign", "email=a%26b%3Dc@example.com", verify.Request{Email: "a&b=c@example.com", MaxAge: none}},
		{"raw equals sign, question mark, semicolon", "email=a=b?c;d@example.com", verify.Request{Email: "a=b?c;d@example.com", MaxAge: none}},
		{"CRLF is for the address parser", "email=a%0D%0ARCPT@example.com", verify.Request{Email: "a\r\nRCPT@example.com", MaxAge: none}},
		{"NUL is for the address parser", "email=a%00@example.com", verify.Request{Email: "a\x00@example.com", MaxAge: none}},
		{"empty pieces", "&email=a@b.example&", verify.Request{Email: "a@b.example", MaxAge: none}},
		{"escaped name", "%65mail=a@b.example", verify.Request{Email: "a@b.example", MaxAge: none}},
		{"all options", "email=a@b.example&deadline=1m30s&max_age=24h&depth=dns&wait=true", verify.Request{
			Email: "a@b.example", Deadline: 90 * time.Second, MaxAge: 24 * time.Hour, Depth: verify.DepthDNS, Wait: true,
		}},
		{"ask afresh", "max_age=0s&email=a@b.example&wait=false", verify.Request{Email: "a@b.example"}},
		{"longest deadline", "deadline=10m&email=a@b.example", verify.Request{Email: "a@b.example", Deadline: 10 * time.Minute, MaxAge: none}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseVerifyQuery(tt.raw)
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("parseVerifyQuery(%q) = %+v, %v, want %+v", tt.raw, got, err, tt.want)
			}
		})
	}
}

func TestParseVerifyQueryRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, raw, code, names string // names is what the message must name.
	}{
		{"nothing", "", apitype.CodeMissingField, "email"},
		{"empty address", "email=", apitype.CodeMissingField, "email"},
		{"name alone", "email", apitype.CodeMissingField, "email"},
		{"other parameter", "email=a@b&fresh=1", apitype.CodeUnknownField, "fresh"},
		{"case matters", "Email=a@b", apitype.CodeUnknownField, "Email"},
		{"twice", "email=a@b&email=c@d", apitype.CodeInvalidQuery, "email"},
		{"twice, escaped", "email=a@b&%65mail=c@d", apitype.CodeInvalidQuery, "email"},
		{"half an escape", "email=a%4", apitype.CodeInvalidQuery, "email"},
		{"not hexadecimal", "email=a%zz", apitype.CodeInvalidQuery, "email"},
		{"escape in a name", "e%mail=a", apitype.CodeInvalidQuery, "e%mail"},
		{"not UTF-8", "email=a%FF@b", apitype.CodeInvalidField, "byte 1"},
		{"surrogate in UTF-8", "email=%ED%A0%80@b", apitype.CodeInvalidField, "byte 0"},
		{"duration without unit", "email=a@b&deadline=10", apitype.CodeInvalidField, "deadline"},
		{"zero without unit", "email=a@b&max_age=0", apitype.CodeInvalidField, "max_age"},
		{"duration with a raw plus", "email=a@b&max_age=+0", apitype.CodeInvalidField, "max_age"},
		{"no duration", "email=a@b&deadline=soon", apitype.CodeInvalidField, `"soon"`},
		{"empty duration", "email=a@b&deadline=", apitype.CodeInvalidField, "deadline"},
		{"zero deadline", "email=a@b&deadline=0s", apitype.CodeInvalidField, "deadline"},
		{"negative deadline", "email=a@b&deadline=-1s", apitype.CodeInvalidField, "deadline"},
		{"long deadline", "email=a@b&deadline=10m1ms", apitype.CodeInvalidField, "10m"},
		{"deadline that overflows", "email=a@b&deadline=99999999999h", apitype.CodeInvalidField, "deadline"},
		{"negative age", "email=a@b&max_age=-1h", apitype.CodeInvalidField, "max_age"},
		{"depth", "email=a@b&depth=SMTP", apitype.CodeInvalidField, "depth"},
		{"empty depth", "email=a@b&depth=", apitype.CodeInvalidField, "depth"},
		{"wait", "email=a@b&wait=1", apitype.CodeInvalidField, "wait"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseVerifyQuery(tt.raw)
			f, ok := errors.AsType[*failure](err)
			if !ok {
				t.Fatalf("parseVerifyQuery(%q) = %v, want a failure", tt.raw, err)
			}
			if f.code != tt.code || !strings.Contains(f.message, tt.names) {
				t.Errorf("parseVerifyQuery(%q) = %s %q, want %s naming %s", tt.raw, f.code, f.message, tt.code, tt.names)
			}
		})
	}
}

func FuzzParseVerifyQuery(f *testing.F) {
	for _, s := range []string{
		"email=ada+news@example.com&deadline=10s&max_age=0s&depth=dns&wait=true",
		"email=%22a%20b%22@example.com", "email=a%4", "&&=&email", "email=%FF", "email=a&email=b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		req, err := parseVerifyQuery(raw)
		if err != nil {
			fl, ok := errors.AsType[*failure](err)
			if !ok || fl.status() != 400 || len(fl.message) > 1000 {
				t.Fatalf("parseVerifyQuery(%q) = %v, want a short failure with status 400", raw, err)
			}
			return
		}
		if req.Email == "" || !utf8.ValidString(req.Email) {
			t.Errorf("parseVerifyQuery(%q) took the address %q", raw, req.Email)
		}
		if req.Deadline < 0 || req.Deadline > maxDeadline || req.MaxAge < -1 {
			t.Errorf("parseVerifyQuery(%q) = %+v, out of range", raw, req)
		}
		// What we escape ourselves must come back as it was.
		again, err := parseVerifyQuery("email=" + url.PathEscape(req.Email))
		if strings.ContainsAny(req.Email, "&") { // PathEscape leaves & alone.
			return
		}
		if err != nil || again.Email != req.Email {
			t.Errorf("the address %q came back as %q, %v", req.Email, again.Email, err)
		}
	})
}
