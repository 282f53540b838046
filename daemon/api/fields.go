package api

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify"
)

// maxDeadline is how long a caller may wait for one answer.
const maxDeadline = 10 * time.Minute

// verifyFields are the fields of a question, whether they come in a query string or in JSON.
// A setter gets the value as text (true or false for a flag); its error is the end of a sentence about it.
var verifyFields = []field[verify.Request]{
	{name: "email", set: setEmail},
	{name: "deadline", set: setDeadline},
	{name: "max_age", set: setMaxAge},
	{name: "depth", set: setDepth},
	{name: "wait", flag: true, set: setWait},
	{name: "explain", flag: true, set: setExplain},
}

// A field is one named value that an endpoint takes into a T.
type field[T any] struct {
	name   string
	flag   bool // true or false, in JSON a boolean.
	number bool // In JSON a number; with none of these, a string.
	raw    bool // In JSON a string or a number; set gets it in its JSON form.
	set    func(*T, string) error
}

// wants is what a field's value must be in JSON.
func (f *field[T]) wants() string {
	switch {
	case f.flag:
		return "true or false"
	case f.number:
		return "a number"
	case f.raw:
		return "a string or a number"
	default:
		return "a string"
	}
}

// A fieldSet takes values into a T, each field at most once.
type fieldSet[T any] struct {
	fields []field[T]
	seen   uint64 // One bit a field.
}

// find returns the field called name. An unknown or repeated one is a failure; what says what the name is called there.
func (fs *fieldSet[T]) find(what, name string, repeated string) (*field[T], error) {
	for i := range fs.fields {
		f := &fs.fields[i]
		if f.name != name {
			continue
		}
		if fs.seen&(1<<i) != 0 {
			return nil, fail(repeated, "The %s %s is there twice.", what, quote(name))
		}
		fs.seen |= 1 << i
		return f, nil
	}
	names := make([]string, len(fs.fields))
	for i, f := range fs.fields {
		names[i] = f.name
	}
	return nil, fail(apitype.CodeUnknownField, "There is no %s %s here, only %s.", what, quote(name), strings.Join(names, ", "))
}

// newVerifyRequest is a question with nothing said: whatever memory vouches for will do.
func newVerifyRequest() verify.Request { return verify.Request{MaxAge: -1} }

// checkVerifyRequest fails a question without an address.
func checkVerifyRequest(req *verify.Request, what string) error {
	if req.Email == "" {
		return fail(apitype.CodeMissingField, "The %s \"email\" is missing or empty.", what)
	}
	return nil
}

func setEmail(req *verify.Request, s string) error {
	if i := invalidUTF8(s); i >= 0 {
		return fmt.Errorf("is not UTF-8 at byte %d", i)
	}
	req.Email = s
	return nil
}

func setDeadline(req *verify.Request, s string) error {
	d, err := parseDuration(s)
	if err != nil {
		return err
	}
	if d <= 0 || d > maxDeadline {
		return fmt.Errorf("is %s, and must be more than 0s and at most 10m", quote(s))
	}
	req.Deadline = d
	return nil
}

func setMaxAge(req *verify.Request, s string) error {
	d, err := parseDuration(s)
	if err != nil {
		return err
	}
	if d < 0 {
		return fmt.Errorf("is %s, and must not be negative", quote(s))
	}
	req.MaxAge = d
	return nil
}

func setDepth(req *verify.Request, s string) error {
	switch d := verify.Depth(s); d {
	case verify.DepthSyntax, verify.DepthDNS, verify.DepthSMTP:
		req.Depth = d
		return nil
	}
	return fmt.Errorf("is %s, and must be syntax, dns or smtp", quote(s))
}

func setWait(req *verify.Request, s string) error { return setFlag(&req.Wait, s) }

func setExplain(req *verify.Request, s string) error { return setFlag(&req.Trace, s) }

func setFlag(flag *bool, s string) error {
	switch s {
	case "true":
		*flag = true
	case "false":
		*flag = false
	default:
		return fmt.Errorf("is %s, and must be true or false", quote(s))
	}
	return nil
}

// parseDuration is time.ParseDuration without its one way to leave out the unit, "0".
func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || strings.Trim(s, "+-0") == "" {
		return 0, fmt.Errorf("is %s, and must be a duration with its unit, such as 10s or 24h", quote(s))
	}
	return d, nil
}

// invalidUTF8 returns the offset of the first byte of s that is not UTF-8; -1 if there is none.
func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return i
			}
		}
	}
	return -1
}
