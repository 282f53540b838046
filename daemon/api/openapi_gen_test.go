package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify/verdict"
)

var updateOpenAPI = flag.Bool("update", false, "rewrite openapi.json")

// TestOpenAPIGenerated holds the document to the routes and the types.
func TestOpenAPIGenerated(t *testing.T) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(newDocument(t)); err != nil {
		t.Fatal(err)
	}
	if *updateOpenAPI {
		if err := os.WriteFile("openapi.json", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(b.Bytes(), openAPI) {
		t.Error("openapi.json is not what it would be now; run go generate ./daemon/api and look at the difference")
	}
}

type object = map[string]any

// A documenter writes the document.
type documenter struct {
	comments map[string]string // By "Type.Field", and by "Type"; of constants by their value.
	schemas  object
	enums    map[string][]string // By "Type.Field".
}

func newDocument(t *testing.T) object {
	d := &documenter{comments: map[string]string{}, schemas: object{}, enums: enums()}
	files, err := filepath.Glob("../../client/apitype/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, "openapi_ops_test.go") {
		d.read(t, f)
	}
	known := map[string]operation{}
	for _, op := range operations {
		known[op.pattern] = op
	}
	paths := object{}
	for _, rt := range routeTable {
		op, ok := known[rt.pattern]
		if !ok {
			t.Errorf("openapi_ops_test.go says nothing of %s", rt.pattern)
			continue
		}
		delete(known, rt.pattern)
		method, path, _ := strings.Cut(rt.pattern, " ")
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path].(object)[strings.ToLower(method)] = d.operation(&rt, &op)
	}
	for p := range known {
		t.Errorf("openapi_ops_test.go speaks of %s, which is no route", p)
	}
	d.schema(reflect.TypeFor[apitype.ErrorReply]())
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "verimaild", "version": "1", "license": object{"name": "MIT", "identifier": "MIT"},
			"summary": "Can this e-mail address receive mail?",
			"description": "HTTP/1.1 on a Unix socket, by default /run/verimaild/verimaild.sock; the host in a URL is not looked at. " +
				"Who calls is known by the kernel; there are no keys. HEAD works wherever GET does. Every field of a reply is always there; " +
				"null means not known or not applicable. Fields, codes and paths are added within /v1, never renamed or removed, so ignore what you do not know. " +
				"Every failed reply has the one shape ErrorReply: act on code, and where retry_after_ms is not null, send the same request again after that time.",
		},
		"servers":    []any{object{"url": "http://localhost", "description": "curl --unix-socket /run/verimaild/verimaild.sock http://localhost/…"}},
		"paths":      paths,
		"components": object{"schemas": d.schemas},
	}
}

// enums are the closed sets of words.
func enums() map[string][]string {
	var verdictNames, reasons, subjects, codes []string
	for _, v := range verdict.Verdicts() {
		verdictNames = append(verdictNames, string(v))
	}
	seen := map[string]bool{}
	for _, r := range verdict.Reasons() {
		reasons = append(reasons, string(r))
		if s := string(r.Subject()); !seen[s] {
			seen[s] = true
			subjects = append(subjects, s)
		}
	}
	slices.Sort(subjects)
	codes = slices.Sorted(maps.Keys(statuses))
	return map[string][]string{
		"Answer.Verdict": verdictNames, "Answer.Reason": reasons, "Answer.Subject": subjects, "Error.Code": codes,
		"VerifyRequest.Depth": {"syntax", "dns", "smtp"}, "Line.From": {"client", "server"},
		"FeedbackReport.Outcome": {"delivered", "bounced", "delayed"},
		"Job.State":              {"preparing", "running", "paused", "finished", "cancelled", "failed", "deleting"},
		"Quota.Name":             {"per_minute", "per_day", "per_month", "concurrent"},
	}
}

// read gathers the comments of a file.
func (d *documenter) read(t *testing.T, name string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range f.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range g.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				d.readType(s, g)
			case *ast.ValueSpec:
				d.readConstant(s)
			}
		}
	}
}

func (d *documenter) readType(s *ast.TypeSpec, g *ast.GenDecl) {
	doc := s.Doc
	if doc == nil {
		doc = g.Doc
	}
	d.comments[s.Name.Name] = oneLine(doc)
	st, ok := s.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range st.Fields.List {
		for _, n := range f.Names {
			d.comments[s.Name.Name+"."+n.Name] = strings.TrimSpace(oneLine(f.Doc) + " " + oneLine(f.Comment))
		}
	}
}

func (d *documenter) readConstant(s *ast.ValueSpec) {
	if len(s.Values) != 1 {
		return
	}
	if lit, ok := s.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
		if v, err := strconv.Unquote(lit.Value); err == nil {
			d.comments[v] = oneLine(s.Comment)
		}
	}
}

// oneLine is a comment as the document has it: without the links of Go's.
func oneLine(c *ast.CommentGroup) string {
	text := strings.Join(strings.Fields(c.Text()), " ")
	return regexp.MustCompile(`\[\*?([A-Za-z.]+)\]`).ReplaceAllString(text, "$1")
}

func (d *documenter) operation(rt *route, op *operation) object {
	out := object{"operationId": op.id, "summary": op.summary, "responses": d.responses(rt, op)}
	about := op.about
	if rt.scope != ScopeNone {
		about = strings.TrimSpace(about + " Needs the scope " + rt.scope.String() + ".")
	}
	if about != "" {
		out["description"] = about
	}
	var params []any
	for _, m := range regexp.MustCompile(`\{([a-z]+)\}`).FindAllStringSubmatch(rt.pattern, -1) {
		params = append(params, object{"name": m[1], "in": "path", "required": true, "description": pathParameters[m[1]], "schema": object{"type": "string"}})
	}
	for _, q := range op.query {
		schema := object{"type": "string"}
		if q.enum != nil {
			schema["enum"] = q.enum
		}
		params = append(params, object{"name": q.name, "in": "query", "required": q.required, "description": q.about, "schema": schema})
	}
	if params != nil {
		out["parameters"] = params
	}
	if op.bodies != nil {
		content := object{}
		for _, b := range op.bodies {
			content[b.media] = object{"schema": d.media(b.typ)}
		}
		out["requestBody"] = object{"required": true, "content": content}
	}
	return out
}

// media is the schema of a body; text if it has no type.
func (d *documenter) media(v any) object {
	switch v.(type) {
	case nil:
		return object{"type": "string"}
	case streamReply:
		return object{"oneOf": []any{d.schema(reflect.TypeFor[streamAnswer]()), d.schema(reflect.TypeFor[streamError]())}}
	case object:
		return object{"type": "object", "additionalProperties": true}
	}
	return d.schema(reflect.TypeOf(v))
}

// everywhere are the errors that every route may give.
func everywhere(rt *route) []string {
	codes := []string{apitype.CodeURITooLong, apitype.CodeInternal, apitype.CodeTooManyConnections, apitype.CodeUnknownField, apitype.CodeInvalidQuery}
	if rt.scope != ScopeNone {
		codes = append(codes, apitype.CodeForbidden)
	}
	if !rt.always {
		codes = append(codes, apitype.CodeShuttingDown)
	}
	return codes
}

func (d *documenter) responses(rt *route, op *operation) object {
	out := object{}
	byStatus := map[int][]string{}
	for _, code := range slices.Concat(op.errors, everywhere(rt)) {
		byStatus[statuses[code]] = append(byStatus[statuses[code]], code)
	}
	for status, codes := range byStatus {
		slices.Sort(codes)
		var says []string
		for _, c := range slices.Compact(codes) {
			_, meaning, _ := strings.Cut(d.comments[c], ": ")
			says = append(says, strings.TrimSuffix(fmt.Sprintf("%s: %s", c, meaning), ": "))
		}
		schema := d.schema(reflect.TypeFor[apitype.ErrorReply]())
		if op.pattern == "GET /readyz" && status == 503 {
			schema = object{"anyOf": []any{d.schema(reflect.TypeFor[apitype.Ready]()), schema}}
		}
		out[strconv.Itoa(status)] = object{"description": strings.Join(says, " "), "content": object{jsonMedia: object{"schema": schema}}}
	}
	status, media := op.status, op.media
	if status == 0 {
		status = 200
	}
	if media == "" {
		media = jsonMedia
	}
	out[strconv.Itoa(status)] = object{"description": op.summary + ".", "content": object{media: object{"schema": d.media(op.reply)}}}
	return out
}

// schema is the schema of a Go type. Structs are components, referred to.
func (d *documenter) schema(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage](), t.Kind() == reflect.Interface:
		return object{"type": []string{"string", "number", "null"}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return orNullSchema(d.schema(t.Elem()))
	case reflect.Struct:
		name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
		if d.schemas[name] == nil {
			d.schemas[name] = object{} // It may refer to itself.
			d.schemas[name] = d.structSchema(t)
		}
		return object{"$ref": "#/components/schemas/" + name}
	case reflect.Slice:
		return object{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	default:
		return object{"type": "integer"}
	}
}

func orNullSchema(s object) object {
	if t, ok := s["type"].(string); ok {
		s["type"] = []string{t, "null"}
		if e, ok := s["enum"].([]string); ok {
			all := []any{}
			for _, v := range e {
				all = append(all, v)
			}
			s["enum"] = append(all, nil)
		}
		return s
	}
	if s["$ref"] != nil {
		return object{"anyOf": []any{s, object{"type": "null"}}}
	}
	return s
}

// structSchema is the schema of a struct. In a reply all fields are required, and a field whose comment speaks of null
// may be null: so the package promises, and every reply of the tests is held to it.
func (d *documenter) structSchema(t reflect.Type) object {
	props, required := object{}, []string{}
	d.fields(t, props, &required)
	out := object{"type": "object", "properties": props}
	if about := d.comments[t.Name()]; about != "" {
		out["description"] = about
	}
	if len(required) > 0 {
		slices.Sort(required)
		out["required"] = required
	}
	return out
}

var speaksOfNull = regexp.MustCompile(`\bnull\b`)

func (d *documenter) fields(t reflect.Type, props object, required *[]string) {
	for f := range t.Fields() {
		if f.Anonymous {
			d.fields(f.Type, props, required)
			continue
		}
		name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		key := t.Name() + "." + f.Name
		s := d.schema(f.Type)
		if e := d.enums[key]; e != nil {
			s["enum"] = e
		}
		if f.Type.Kind() != reflect.Pointer && f.Type.Kind() != reflect.Interface && speaksOfNull.MatchString(d.comments[key]) {
			s = orNullSchema(s)
		}
		if about := d.comments[key]; about != "" {
			s["description"] = about
		}
		props[name] = s
		if !strings.Contains(opts, "omit") {
			*required = append(*required, name)
		}
	}
}
