package table

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// jsonRow fills the row from a line of NDJSON.
func (r *Reader) jsonRow(text string) {
	if !utf8.ValidString(text) {
		r.bad("the line is not valid UTF-8")
		return
	}
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	if !json.Valid([]byte(text)) {
		r.bad("not JSON: %v", json.Unmarshal([]byte(text), new(json.RawMessage)))
		return
	}
	clear(r.fields)
	switch text[0] {
	case '"':
		r.fields[r.l.Column] = jsonText(text)
		r.row.Fields = r.fields
		r.address(r.fields[r.l.Column])
	case '{':
		for key, value := range members(text) {
			if i, ok := r.keys[key]; ok {
				r.fields[i] = jsonText(value)
			}
		}
		r.row.Fields = r.fields
		r.jsonAddress(text)
	default:
		r.bad("neither a JSON object nor a string")
	}
}

// jsonAddress fills in the address of an object. Its fields stay also where there is no address.
func (r *Reader) jsonAddress(object string) {
	value, ok := lookup(object, r.l.Key)
	path := strings.Join(r.l.Key, ".")
	switch {
	case !ok:
		r.row.Problem = fmt.Sprintf("no member %q", path)
	case value == "null":
		r.row.Problem = "no address"
	case value[0] != '"':
		r.row.Problem = fmt.Sprintf("%q is not a string", path)
	default:
		r.address(jsonText(value))
	}
}

// lookup is the text of the value at a path of keys in a valid JSON object. Of a key that comes twice, the last counts.
func lookup(object string, path []string) (value string, ok bool) {
	for i, want := range path {
		ok = false
		for key, v := range members(object) {
			if key == want {
				value, ok = v, true
			}
		}
		if !ok || i+1 < len(path) && value[0] != '{' {
			return "", false
		}
		object = value
	}
	return value, ok
}

// jsonText is a valid JSON value as the text of a cell: strings as they are, null as nothing, others as JSON.
func jsonText(value string) string {
	switch {
	case value == "null":
		return ""
	case value[0] != '"':
		return value
	case strings.IndexByte(value, '\\') < 0:
		return value[1 : len(value)-1]
	}
	var s string
	if err := json.Unmarshal([]byte(value), &s); err != nil {
		return value // It was valid, so this does not happen; if it did, nothing would be lost.
	}
	return s
}

// members goes through the members of a JSON object, which must be valid, in order: decoded keys and values as written.
func members(object string) func(yield func(key, value string) bool) {
	return func(yield func(key, value string) bool) {
		for i := skipSpace(object, 1); object[i] != '}'; {
			end := skipValue(object, i)
			key := jsonText(object[i:end])
			i = skipSpace(object, end)
			i = skipSpace(object, i+1) // The colon.
			end = skipValue(object, i)
			if !yield(key, object[i:end]) {
				return
			}
			if i = skipSpace(object, end); object[i] == ',' {
				i = skipSpace(object, i+1)
			}
		}
	}
}

func skipSpace(s string, i int) int {
	for s[i] == ' ' || s[i] == '\t' || s[i] == '\r' || s[i] == '\n' {
		i++
	}
	return i
}

// skipValue is the end of the valid JSON value at s[i:].
func skipValue(s string, i int) int {
	switch s[i] {
	case '"':
		return skipString(s, i)
	case '{', '[':
		return skipNested(s, i)
	}
	for i < len(s) && strings.IndexByte(",}] \t\r\n", s[i]) < 0 {
		i++
	}
	return i
}

func skipString(s string, i int) int {
	for i++; s[i] != '"'; i++ {
		if s[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func skipNested(s string, i int) int {
	for depth := 0; ; i++ {
		switch s[i] {
		case '"':
			i = skipString(s, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}
