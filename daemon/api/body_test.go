package api

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify"
)

func TestParseVerifyBody(t *testing.T) {
	const none = -1
	for _, tt := range []struct {
		name, body string
		want       verify.Request
	}{
		{"address alone", `{"email":"ada+news@example.com"}`, verify.Request{Email: "ada+news@example.com", MaxAge: none}},
		{"everything", ` { "email" : "a@b.example", "deadline":"10s","max_age":"0s","depth":"syntax","wait":true } ` + "\n", verify.Request{
			Email: "a@b.example", Deadline: 10 * time.Second, Depth: verify.DepthSyntax, Wait: true,
		}},
		{"nulls are absent", `{"email":"a@b","deadline":null,"max_age":null,"depth":null,"wait":null}`, verify.Request{Email: "a@b", MaxAge: none}},
		{"escapes", `{"\u0065mail":"j\u00f6rg\u0040b\r\n"}`, verify.Request{Email: "jörg@b\r\n", MaxAge: none}},
		{"surrogate pair", `{"email":"\ud83d\ude00@b"}`, verify.Request{Email: "😀@b", MaxAge: none}},
		{"backslashes before u", `{"email":"a\\ud800@b"}`, verify.Request{Email: `a\ud800@b`, MaxAge: none}},
		{"replacement character, as written", `{"email":"\ufffd@b"}`, verify.Request{Email: "\ufffd@b", MaxAge: none}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseVerifyBody([]byte(tt.body))
			if err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("parseVerifyBody(%s) = %+v, %v, want %+v", tt.body, got, err, tt.want)
			}
		})
	}
}

// badBodies are refused by the parser and, over the socket, with the same code.
var badBodies = []struct {
	name, body, code, names string // names is what the message must name.
}{
	{"empty", "", apitype.CodeInvalidJSON, "empty"},
	{"blanks", " \n", apitype.CodeInvalidJSON, "empty"},
	{"a form", "email=a@b", apitype.CodeInvalidJSON, "byte 0"},
	{"an array", `[]`, apitype.CodeInvalidJSON, "an array"},
	{"a string", `"a@b"`, apitype.CodeInvalidJSON, "a string"},
	{"null", `null`, apitype.CodeInvalidJSON, "null"},
	{"no fields", `{}`, apitype.CodeMissingField, "email"},
	{"no address", `{"wait":true}`, apitype.CodeMissingField, "email"},
	{"empty address", `{"email":""}`, apitype.CodeMissingField, "email"},
	{"null address", `{"email":null}`, apitype.CodeMissingField, "email"},
	{"cut off", `{"email":"a@b"`, apitype.CodeInvalidJSON, "unexpected end"},
	{"cut off in a string", `{"email":"a@`, apitype.CodeInvalidJSON, "unexpected end"},
	{"missing comma", `{"email":"a@b" "wait":true}`, apitype.CodeInvalidJSON, "byte 15"},
	{"trailing comma", `{"email":"a@b",}`, apitype.CodeInvalidJSON, "byte 15"},
	{"single quotes", `{'email':'a@b'}`, apitype.CodeInvalidJSON, "byte 1"},
	{"line break in a string", "{\"email\":\"a\r\n@b\"}", apitype.CodeInvalidJSON, "byte 11"},
	{"bad escape", `{"email":"a\x@b"}`, apitype.CodeInvalidJSON, "byte 12"},
	{"name that is no string", `{1:2}`, apitype.CodeInvalidJSON, "byte 1"},
	{"trailing garbage", `{"email":"a@b"}x`, apitype.CodeInvalidJSON, "byte 15"},
	{"second object", `{"email":"a@b"} {"email":"c@d"}`, apitype.CodeInvalidJSON, "byte 16"},
	{"byte order mark", "\ufeff{\"email\":\"a@b\"}", apitype.CodeInvalidJSON, "byte 0"},
	{"not UTF-8", "{\"email\":\"a\xff@b\"}", apitype.CodeInvalidJSON, "byte 11"},
	{"not UTF-8 in a name", "{\"\xc3(\":\"a@b\"}", apitype.CodeInvalidJSON, "byte 2"},
	{"high surrogate alone", `{"email":"a\ud800@b"}`, apitype.CodeInvalidJSON, "byte 11"},
	{"low surrogate alone", `{"email":"\udc00@b"}`, apitype.CodeInvalidJSON, "byte 10"},
	{"two high surrogates", `{"email":"\ud800\ud800"}`, apitype.CodeInvalidJSON, "byte 10"},
	{"unknown field", `{"email":"a@b","adress":"c@d"}`, apitype.CodeUnknownField, "adress"},
	{"deeper than anybody nests", `{"x":` + strings.Repeat("[", 20000), apitype.CodeInvalidJSON, "depth"},
	{"unknown field with a deep value", `{"x":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}", apitype.CodeUnknownField, `"x"`},
	{"case matters", `{"EMAIL":"a@b"}`, apitype.CodeUnknownField, "EMAIL"},
	{"same field twice", `{"email":"a@b","email":"c@d"}`, apitype.CodeInvalidJSON, "email"},
	{"address is a number", `{"email":1}`, apitype.CodeInvalidField, `"email" at byte 9 is a number`},
	{"address is a huge number", `{"email": 1e999}`, apitype.CodeInvalidField, `"email" at byte 10 is a number`},
	{"address is an object", `{"email":{}}`, apitype.CodeInvalidField, `"email" at byte 9 is an object`},
	{"address is an array", `{"email":["a@b"]}`, apitype.CodeInvalidField, `"email" at byte 9 is an array`},
	{"address is a boolean", `{"email":true}`, apitype.CodeInvalidField, `"email" at byte 9 is a boolean`},
	{"deadline is a number", `{"email":"a@b","deadline":10}`, apitype.CodeInvalidField, `"deadline" at byte 26 is a number`},
	{"deadline without unit", `{"email":"a@b","deadline":"10"}`, apitype.CodeInvalidField, `"deadline" at byte 26`},
	{"deadline too long", `{"email":"a@b","deadline":"11m"}`, apitype.CodeInvalidField, "deadline"},
	{"negative age", `{"email":"a@b","max_age":"-1s"}`, apitype.CodeInvalidField, "max_age"},
	{"depth", `{"email":"a@b","depth":"deep"}`, apitype.CodeInvalidField, "depth"},
	{"wait is a string", `{"email":"a@b","wait":"true"}`, apitype.CodeInvalidField, `"wait" at byte 22 is a string`},
	{"wait is a number", `{"email":"a@b","wait":1}`, apitype.CodeInvalidField, `"wait" at byte 22 is a number`},
}

func TestParseVerifyBodyRefuses(t *testing.T) {
	for _, tt := range badBodies {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseVerifyBody([]byte(tt.body))
			f, ok := errors.AsType[*failure](err)
			if !ok {
				t.Fatalf("parseVerifyBody(%.60q) = %v, want a failure", tt.body, err)
			}
			if f.code != tt.code || !strings.Contains(f.message, tt.names) {
				t.Errorf("parseVerifyBody(%.60q) = %s %q, want %s naming %s", tt.body, f.code, f.message, tt.code, tt.names)
			}
		})
	}
}

func FuzzParseVerifyBody(f *testing.F) {
	f.Add([]byte(`{"email":"a@b","deadline":"10s","max_age":"0s","depth":"dns","wait":true}`))
	for _, tt := range badBodies {
		f.Add([]byte(tt.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		req, err := parseVerifyBody(body)
		if err != nil {
			fl, ok := errors.AsType[*failure](err)
			if !ok || fl.status() != 400 || len(fl.message) > 1000 {
				t.Fatalf("parseVerifyBody(%q) = %v, want a short failure with status 400", body, err)
			}
			return
		}
		if req.Email == "" || req.Deadline < 0 || req.Deadline > maxDeadline || req.MaxAge < -1 {
			t.Errorf("parseVerifyBody(%q) = %+v, out of range", body, req)
		}
	})
}
