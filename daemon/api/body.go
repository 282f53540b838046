package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify"
)

// parseVerifyBody reads the body of POST /v1/verify.
func parseVerifyBody(body []byte) (verify.Request, error) {
	req := newVerifyRequest()
	if err := readObject(body, verifyFields, &req); err != nil {
		return verify.Request{}, err
	}
	return req, checkVerifyRequest(&req, "field")
}

// readObject reads body, one flat JSON object and nothing else, into v. It is stricter than json.Unmarshal, which
// takes the last of two equal keys, ignores the case of keys, and turns what is not text into U+FFFD: each of
// these would answer for an address that nobody asked about. null is the same as leaving the field out.
func readObject[T any](body []byte, fields []field[T], v *T) error {
	if i := invalidUTF8(string(body)); i >= 0 {
		return fail(apitype.CodeInvalidJSON, "The body is not UTF-8 at byte %d.", i)
	}
	if len(bytes.TrimLeft(body, " \t\r\n")) == 0 {
		return fail(apitype.CodeInvalidJSON, "The body is empty; it must be a JSON object.")
	}
	if !json.Valid(body) {
		return failSyntax(body)
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber() // Only its type matters; a number that overflows is still a number.
	tok, err := dec.Token()
	if err != nil {
		return failSyntax(body)
	}
	if tok != json.Delim('{') {
		return fail(apitype.CodeInvalidJSON, "The body is %s; it must be a JSON object.", typeName(tok))
	}
	fs := fieldSet[T]{fields: fields}
	for dec.More() {
		if err := readMember(dec, body, &fs, v); err != nil {
			return err
		}
	}
	return nil
}

// readMember reads one name and value of an object.
func readMember[T any](dec *json.Decoder, body []byte, fs *fieldSet[T], v *T) error {
	key, err := dec.Token()
	name, ok := key.(string)
	if err != nil || !ok {
		return failSyntax(body)
	}
	f, err := fs.find("field", name, apitype.CodeInvalidJSON)
	if err != nil {
		return err
	}
	start := valueStart(body, dec.InputOffset())
	tok, err := dec.Token()
	if err != nil {
		return failSyntax(body)
	}
	text, ok := "", false
	switch val := tok.(type) {
	case nil:
		return nil
	case string:
		text, ok = val, !f.flag && !f.number
	case json.Number:
		text, ok = val.String(), f.number || f.raw
	case bool:
		text, ok = strconv.FormatBool(val), f.flag
	}
	if !ok {
		return fail(apitype.CodeInvalidField, "The field %q at byte %d is %s, and must be %s.", name, start, typeName(tok), f.wants())
	}
	if i := loneSurrogate(body[start:dec.InputOffset()]); i >= 0 {
		return fail(apitype.CodeInvalidJSON, "The field %q has half a surrogate pair at byte %d.", name, start+i)
	}
	if f.raw {
		text = string(body[start:dec.InputOffset()])
	}
	if err := f.set(v, text); err != nil {
		return fail(apitype.CodeInvalidField, "The field %q at byte %d %v.", name, start, err)
	}
	return nil
}

// failSyntax says where body stops being JSON. Bytes are counted from 0, here and in the other messages.
func failSyntax(body []byte) error {
	var all json.RawMessage
	se, ok := errors.AsType[*json.SyntaxError](json.Unmarshal(body, &all))
	if !ok {
		return fail(apitype.CodeInvalidJSON, "The body is not a JSON object.")
	}
	return fail(apitype.CodeInvalidJSON, "The body is not JSON: %v, at byte %d.", se, se.Offset-1)
}

// valueStart returns where the value begins whose name ends at off.
func valueStart(body []byte, off int64) int {
	i := int(off)
	for i < len(body) && bytes.IndexByte([]byte(": \t\r\n"), body[i]) >= 0 {
		i++
	}
	return i
}

// typeName is what a JSON token is called in messages.
func typeName(tok json.Token) string {
	switch t := tok.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case json.Delim:
		if t == '[' {
			return "an array"
		}
		return "an object"
	}
	return "something else"
}

// loneSurrogate returns the offset in text, valid JSON, of an escaped surrogate without its other half; -1 if there is
// none. encoding/json would read it as U+FFFD.
func loneSurrogate(text []byte) int {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		switch r := escaped(text[i:]); {
		case r < 0: // Not \u; skip the escaped character, which may be a backslash.
			i++
		case r >= 0xD800 && r < 0xDC00:
			low := escaped(text[i+6:])
			if low < 0xDC00 || low > 0xDFFF {
				return i
			}
			i += 11
		case r >= 0xDC00 && r <= 0xDFFF:
			return i
		default:
			i += 5
		}
	}
	return -1
}

// escaped returns the code unit of the \uXXXX that text begins with; -1 if it doesn't.
func escaped(text []byte) int {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	u, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return int(u)
}
