package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A contract is the OpenAPI document, read to hold replies against it.
type contract struct {
	root  object
	paths *http.ServeMux // Of the paths, to find the one that a request is for.
}

var readContract = sync.OnceValue(func() *contract {
	c := &contract{paths: http.NewServeMux()}
	if err := json.Unmarshal(openAPI, &c.root); err != nil {
		panic(err)
	}
	for path, item := range c.root["paths"].(object) {
		for method := range item.(object) {
			c.paths.HandleFunc(strings.ToUpper(method)+" "+path, func(http.ResponseWriter, *http.Request) {})
		}
	}
	return c
})

// hold holds a reply to the document. Requests that no operation is for have their errors only.
func (c *contract) hold(t testing.TB, req *http.Request, resp *http.Response, body []byte) {
	t.Helper()
	if err := c.reply(req, resp, body); err != nil {
		t.Errorf("openapi.json: %s %s, %d: %v\n%.300s", req.Method, req.URL.Path, resp.StatusCode, err, body)
	}
}

// holdRequest holds a request that was taken to the document.
func (c *contract) holdRequest(t testing.TB, req *http.Request, body string) {
	t.Helper()
	if err := c.request(req, body); err != nil {
		t.Errorf("openapi.json: %s %s was taken: %v\n%.300s", req.Method, req.URL, err, body)
	}
}

func (c *contract) request(req *http.Request, body string) error {
	_, pattern := c.paths.Handler(&http.Request{Method: req.Method, URL: req.URL, Host: req.Host})
	method, path, _ := strings.Cut(pattern, " ")
	op, ok := c.root["paths"].(object)[path].(object)[strings.ToLower(method)].(object)
	if !ok {
		return fmt.Errorf("no operation is for it")
	}
	params, _ := op["parameters"].([]any)
	for pair := range strings.SplitSeq(req.URL.RawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		is := func(p any) bool { return p.(object)["in"] == "query" && p.(object)["name"] == name }
		if name != "" && !slices.ContainsFunc(params, is) {
			return fmt.Errorf("the operation has no parameter %s", name)
		}
	}
	taken, _ := op["requestBody"].(object)
	switch {
	case taken == nil && body != "":
		return fmt.Errorf("the operation takes no body")
	case taken == nil:
		return nil
	}
	content := taken["content"].(object)
	media, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if media == "" && content[jsonMedia] != nil {
		media = jsonMedia
	}
	said, _ := content[media].(object)
	if media != jsonMedia || said == nil {
		return nil // Which of the others it is, the daemon finds out.
	}
	return c.value(said["schema"].(object), []byte(body))
}

func (c *contract) reply(req *http.Request, resp *http.Response, body []byte) error {
	_, pattern := c.paths.Handler(&http.Request{Method: req.Method, URL: req.URL, Host: req.Host})
	method, path, _ := strings.Cut(pattern, " ")
	item, ok := c.root["paths"].(object)[path].(object)
	if !ok || !plainPath(req) {
		if resp.StatusCode < 400 {
			return fmt.Errorf("no operation is for it")
		}
		if req.Method == http.MethodHead {
			return nil
		}
		return c.value(object{"$ref": "#/components/schemas/ErrorReply"}, body)
	}
	responses := item[strings.ToLower(method)].(object)["responses"].(object)
	said, ok := responses[strconv.Itoa(resp.StatusCode)].(object)
	if !ok {
		return fmt.Errorf("the operation has no such status")
	}
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	content, ok := said["content"].(object)[media].(object)
	if !ok {
		return fmt.Errorf("the operation has no %s for that status", media)
	}
	schema := content["schema"].(object)
	switch {
	case req.Method == http.MethodHead:
		return nil
	case media == ndjsonMedia && schema["type"] != "string":
		for line := range bytes.Lines(body) {
			if err := c.value(schema, line); err != nil {
				return err
			}
		}
		return nil
	case media == jsonMedia:
		if err := c.value(schema, body); err != nil {
			return err
		}
		return c.code(said, resp.StatusCode, body)
	}
	return nil
}

// code reports an error code that the operation's status does not speak of.
func (c *contract) code(said object, status int, body []byte) error {
	if status < 400 {
		return nil
	}
	var e struct{ Error struct{ Code string } }
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	if !slices.ContainsFunc(strings.Fields(said["description"].(string)), func(w string) bool { return strings.TrimSuffix(w, ":") == e.Error.Code }) {
		return fmt.Errorf("the operation does not speak of %s", e.Error.Code)
	}
	return nil
}

// value holds JSON to a schema.
func (c *contract) value(schema object, text []byte) error {
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		if big, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && strings.HasPrefix(big.Value, "number") {
			return nil // JSON has numbers that Go has no type for, and a stream hands the caller's id back as it came.
		}
		return err
	}
	return c.check(schema, v, "")
}

// check holds v to a schema, in the words of JSON Schema that the document uses. It is stricter in one thing: an object has no
// property that the schema does not name, unless additionalProperties says so.
func (c *contract) check(schema object, v any, at string) error {
	if ref, ok := schema["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/components/schemas/")
		return c.check(c.root["components"].(object)["schemas"].(object)[name].(object), v, at)
	}
	for _, word := range []string{"anyOf", "oneOf"} {
		if list, ok := schema[word].([]any); ok {
			return c.any(list, v, at)
		}
	}
	if err := checkType(schema["type"], v); err != nil {
		return fmt.Errorf("%s %w", at, err)
	}
	if e, ok := schema["enum"].([]any); ok && !slices.ContainsFunc(e, func(x any) bool { return reflect.DeepEqual(x, v) }) {
		return fmt.Errorf("%s is %v, which is none of %v", at, v, e)
	}
	switch v := v.(type) {
	case string:
		if schema["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339, v); err != nil {
				return fmt.Errorf("%s: %w", at, err)
			}
		}
	case []any:
		for i, item := range v {
			if err := c.check(schema["items"].(object), item, fmt.Sprintf("%s[%d]", at, i)); err != nil {
				return err
			}
		}
	case object:
		return c.properties(schema, v, at)
	}
	return nil
}

func (c *contract) any(list []any, v any, at string) error {
	var first error
	for _, s := range list {
		err := c.check(s.(object), v, at)
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

func (c *contract) properties(schema, v object, at string) error {
	if required, ok := schema["required"].([]any); ok {
		for _, name := range required {
			if _, there := v[name.(string)]; !there {
				return fmt.Errorf("%s lacks %s", at, name)
			}
		}
	}
	props, _ := schema["properties"].(object)
	for name, item := range v {
		s, ok := props[name].(object)
		if !ok {
			if s, ok = schema["additionalProperties"].(object); !ok {
				if schema["additionalProperties"] == true {
					continue
				}
				return fmt.Errorf("%s has %s, of which the document does not speak", at, name)
			}
		}
		if err := c.check(s, item, at+"."+name); err != nil {
			return err
		}
	}
	return nil
}

// checkType holds v to one type, or one of several.
func checkType(types, v any) error {
	var names []string
	switch t := types.(type) {
	case string:
		names = []string{t}
	case []any:
		for _, n := range t {
			names = append(names, n.(string))
		}
	default:
		return nil
	}
	is := map[string]bool{}
	switch v := v.(type) {
	case nil:
		is["null"] = true
	case string:
		is["string"] = true
	case bool:
		is["boolean"] = true
	case float64:
		is["number"], is["integer"] = true, v == math.Trunc(v)
	case []any:
		is["array"] = true
	case object:
		is["object"] = true
	}
	for _, n := range names {
		if is[n] {
			return nil
		}
	}
	return fmt.Errorf("is %v, not %v", v, names)
}

// TestContractFinds: a document that is wrong about a reply is found out.
func TestContractFinds(t *testing.T) {
	c := readContract()
	answer := object{"$ref": "#/components/schemas/Problem"}
	for _, tt := range []struct {
		name, body string
		ok         bool
	}{
		{"right", `{"code":"a","message":"b"}`, true},
		{"a field too few", `{"code":"a"}`, false},
		{"a field too many", `{"code":"a","message":"b","more":1}`, false},
		{"another type", `{"code":"a","message":7}`, false},
		{"null", `{"code":"a","message":null}`, false},
	} {
		if err := c.value(answer, []byte(tt.body)); (err == nil) != tt.ok {
			t.Errorf("%s: %v, want it found right: %t", tt.name, err, tt.ok)
		}
	}
}
