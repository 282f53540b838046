package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A scalar is how one Go type is read and written, whether in the file, in the environment or in a default tag.
type scalar struct {
	name  string                    // What the type is called in the reference.
	want  string                    // What a value has to be, for messages.
	tag   string                    // The YAML tag that a plain scalar must have; "" takes the text of any but null and bool.
	parse func(string) (any, error) // Its result has the type itself.
	text  func(any) string          // Reads back as the same value.
}

// scalarOf is the scalar for t, or false for a type that no key may have.
func scalarOf(t reflect.Type) (scalar, bool) {
	switch t {
	case reflect.TypeFor[time.Duration]():
		return scalar{name: "duration", want: "a duration such as 90s, 15m or 24h", parse: parseDuration, text: formatDuration}, true
	case reflect.TypeFor[fs.FileMode]():
		return scalar{name: "mode", want: "an octal mode such as \"0660\"", parse: parseMode, text: formatMode}, true
	case reflect.TypeFor[netip.Addr]():
		return scalar{name: "address", want: "an IP address", parse: parseAddr, text: formatAddr}, true
	case reflect.TypeFor[netip.Prefix]():
		return scalar{name: "network", want: "a network such as 10.20.0.0/16", parse: parsePrefix, text: formatAny}, true
	}
	switch t.Kind() {
	case reflect.String:
		return scalar{name: "text", want: "text", parse: parseString, text: formatAny}, true
	case reflect.Bool:
		return scalar{name: "boolean", want: "true or false", tag: "!!bool", parse: parseBool, text: formatAny}, true
	case reflect.Int:
		return scalar{name: "number", want: "a whole number", tag: "!!int", parse: parseInt, text: formatAny}, true
	case reflect.Float64:
		return scalar{name: "number", want: "a number", tag: "!!float", parse: parseFloat, text: formatFloat}, true
	}
	return scalar{}, false
}

func formatAny(v any) string { return fmt.Sprint(v) }

func parseString(s string) (any, error) {
	if strings.ContainsFunc(s, unicode.IsControl) {
		return nil, fmt.Errorf("%s holds a control character", quote(s))
	}
	return s, nil
}

func parseBool(s string) (any, error) {
	switch strings.ToLower(s) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return nil, fmt.Errorf("%s is not true or false", quote(s))
}

// parseInt takes decimal digits only: YAML's other forms (0x10, 0o17, 1_000) are read differently by its versions.
func parseInt(s string) (any, error) {
	n, err := strconv.Atoi(s)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return nil, fmt.Errorf("%s is too large", quote(s))
	case err != nil, strconv.Itoa(n) != s:
		return nil, fmt.Errorf("%s is not a whole number in decimal digits", quote(s))
	}
	return n, nil
}

// decimals are digits with or without a point. YAML's other forms (.5, 1e3, .inf) are more than a limit needs.
var decimals = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

func parseFloat(s string) (any, error) {
	if !decimals.MatchString(s) {
		return nil, fmt.Errorf("%s is not a number such as 12 or 0.25", quote(s))
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fmt.Errorf("%s is too large", quote(s))
	}
	return f, nil
}

func formatFloat(v any) string { return strconv.FormatFloat(v.(float64), 'f', -1, 64) }

// parseDuration wants a unit: a bare number would be read as nanoseconds by some and as seconds by others. Only zero
// is the same in every unit.
func parseDuration(s string) (any, error) {
	d, err := time.ParseDuration(s)
	if err == nil {
		return d, nil
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return nil, fmt.Errorf("%s has no unit: write %ss, %sm or %sh", quote(s), clip(s), clip(s), clip(s))
	}
	return nil, fmt.Errorf("%s is not a duration such as 90s, 15m or 24h (the units are ms, s, m and h; a day is 24h)", quote(s))
}

// formatDuration leaves out the zero parts of [time.Duration.String]: 24h, not 24h0m0s.
func formatDuration(v any) string {
	s := v.(time.Duration).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func parseMode(s string) (any, error) {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || len(s) < 3 || len(s) > 4 {
		return nil, fmt.Errorf("%s is not an octal mode such as \"0660\"", quote(s))
	}
	if n > 0o777 {
		return nil, fmt.Errorf("%s has more than permissions: the most is \"0777\"", quote(s))
	}
	return fs.FileMode(n), nil
}

func formatMode(v any) string { return fmt.Sprintf("%04o", uint32(v.(fs.FileMode))) }

// parseAddr takes the empty string for the zero Addr, which stands for none.
func parseAddr(s string) (any, error) {
	if s == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return nil, fmt.Errorf("%s is not an IP address", quote(s))
	}
	return a, nil
}

func formatAddr(v any) string {
	if a := v.(netip.Addr); a.IsValid() {
		return a.String()
	}
	return ""
}

func parsePrefix(s string) (any, error) {
	p, err := netip.ParsePrefix(s)
	if err == nil && p != p.Masked() {
		return nil, fmt.Errorf("%s has bits set beyond its length: write %s", quote(s), p.Masked())
	}
	if err == nil {
		return p, nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return nil, fmt.Errorf("%s is an address: for a network of this one, write %s/%d", quote(s), a, a.BitLen())
	}
	return nil, fmt.Errorf("%s is not a network such as 10.20.0.0/16 or fd00::/8", quote(s))
}

// quote is s in quotes, for a message: escaped, and of a bearable length.
func quote(s string) string { return strconv.Quote(clip(s)) }

// printable is s as it stands if that can be shown, otherwise in quotes.
func printable(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return quote(s)
	}
	return clip(s)
}

// clip shortens s to a length that a message can bear.
func clip(s string) string {
	const most = 60
	runes := 0
	for i := range s {
		if runes == most {
			return s[:i] + "…"
		}
		runes++
	}
	return s
}
