package api

import (
	"net/url"
	"strings"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify"
)

// parseVerifyQuery reads the query string of GET /v1/verify.
//
// It is not read as a form: there a raw "+" would be a space, and Ada+news@example.com the address of somebody
// else. Names and values are percent-decoded, RFC 3986 §2.1, and that is all.
func parseVerifyQuery(raw string) (verify.Request, error) {
	req := newVerifyRequest()
	if err := readQuery(raw, verifyFields, &req); err != nil {
		return verify.Request{}, err
	}
	return req, checkVerifyRequest(&req, "query parameter")
}

// readQuery reads the query string of an endpoint that has these fields into v.
func readQuery[T any](raw string, fields []field[T], v *T) error {
	fs := fieldSet[T]{fields: fields}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		if err := takePair(&fs, v, pair); err != nil {
			return err
		}
	}
	return nil
}

// takePair reads one name=value of a query string into v.
func takePair[T any](fs *fieldSet[T], v *T, pair string) error {
	rawName, rawValue, _ := strings.Cut(pair, "=")
	name, err := url.PathUnescape(rawName)
	if err != nil {
		return fail(apitype.CodeInvalidQuery, "The query string cannot be decoded at %s: a %% must be followed by two hexadecimal digits.", quote(rawName))
	}
	f, err := fs.find("query parameter", name, apitype.CodeInvalidQuery)
	if err != nil {
		return err
	}
	value, err := url.PathUnescape(rawValue)
	if err != nil {
		return fail(apitype.CodeInvalidQuery, "The query parameter %q cannot be decoded: a %% must be followed by two hexadecimal digits.", name)
	}
	if err := f.set(v, value); err != nil {
		return fail(apitype.CodeInvalidField, "The query parameter %q %v.", name, err)
	}
	return nil
}
