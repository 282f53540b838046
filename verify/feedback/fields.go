package feedback

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// fields are the fields of one group of a message/delivery-status by their names in lower case. Of a field that stands
// there twice the first counts.
type fields map[string]string

// fieldGroups reads groups of fields that blank lines separate, RFC 3464 §2.1.1. What is no field is passed over: a
// notification with a broken line still tells of its recipients.
func fieldGroups(content []byte) []fields {
	var groups []fields
	var group fields
	name := ""
	for line := range strings.Lines(string(content)) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.TrimSpace(line) == "":
			if group != nil {
				groups, group = append(groups, group), nil
			}
			name = ""
			continue
		case line[0] == ' ' || line[0] == '\t':
			group.extend(name, line)
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if name = strings.ToLower(strings.TrimSpace(key)); !ok || name == "" || strings.ContainsAny(name, " \t") {
			name = ""
			continue
		}
		if group == nil {
			group = fields{}
		}
		if _, twice := group[name]; twice {
			name = ""
			continue
		}
		group[name] = clip(strings.TrimSpace(value), maxField)
	}
	if group != nil {
		groups = append(groups, group)
	}
	return groups
}

// extend appends a folded line to a field; to none if name is "".
func (g fields) extend(name, line string) {
	if name == "" || len(g[name])+len(line) > maxField {
		return
	}
	g[name] += " " + strings.TrimSpace(line)
}

// unicodeAddress undoes the escapes of utf-8-addr-xtext, RFC 6533 §3: "\x{F6}" is ö. What is no escape stays.
func unicodeAddress(s string) string {
	var b strings.Builder
	for {
		head, tail, ok := strings.Cut(s, `\x{`)
		b.WriteString(head)
		if !ok {
			return b.String()
		}
		hex, rest, ok := strings.Cut(tail, "}")
		n, err := strconv.ParseUint(hex, 16, 32)
		if r := rune(n); !ok || err != nil || n > utf8.MaxRune || !utf8.ValidRune(r) { //nolint:gosec // G115: bounded in the same line.
			b.WriteString(`\x{`)
			s = tail
			continue
		}
		b.WriteRune(rune(n)) //nolint:gosec // G115: a rune.
		s = rest
	}
}
