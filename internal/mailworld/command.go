package mailworld

import (
	"errors"
	"strings"
)

// maxLine is the longest command line that is looked at; RFC 5321 §4.5.3.1.4 asks for 512, extensions for more.
const maxLine = 4096

// A command is one parsed line of a client.
type command struct {
	verb string // Upper case; "" if there is none.
	arg  string // What follows the verb and one space.
}

// errPath says that an argument holds no path.
var errPath = errors.New("mailworld: no path")

// parseCommand splits a line, without its end, into verb and argument.
func parseCommand(line string) command {
	verb, arg, _ := strings.Cut(line, " ")
	return command{verb: upper(verb), arg: strings.TrimRight(arg, " \t")}
}

// upper is strings.ToUpper for ASCII; other letters stay, since no verb has any.
func upper(s string) string {
	for i := range len(s) {
		if s[i] >= 'a' && s[i] <= 'z' || s[i] >= 0x80 {
			return strings.Map(upperByte, s)
		}
	}
	return s
}

func upperByte(r rune) rune {
	if r >= 'a' && r <= 'z' {
		return r - 'a' + 'A'
	}
	return r
}

// parsePath reads the argument of MAIL or RCPT, "FROM:<path> parameters", RFC 5321 §4.1.1.2 and 3. key is "FROM" or "TO".
// A source route is dropped, as §4.1.1.3 allows. A space after the colon is let pass, as most servers do.
func parsePath(arg, key string) (path, params string, err error) {
	if len(arg) <= len(key) || upper(arg[:len(key)]) != key || arg[len(key)] != ':' {
		return "", "", errPath
	}
	rest := strings.TrimLeft(arg[len(key)+1:], " ")
	if !strings.HasPrefix(rest, "<") {
		return "", "", errPath
	}
	end := pathEnd(rest)
	if end < 0 {
		return "", "", errPath
	}
	path, params = rest[1:end], rest[end+1:]
	if params != "" && params[0] != ' ' {
		return "", "", errPath
	}
	if strings.HasPrefix(path, "@") {
		if _, after, ok := strings.Cut(path, ":"); ok {
			path = after
		}
	}
	if path != "" && !validPath(path) {
		return "", "", errPath
	}
	return path, strings.TrimSpace(params), nil
}

// pathEnd is the index of the ">" that closes the path in s, which begins with "<"; -1 if there is none.
func pathEnd(s string) int {
	var quoted, escaped bool
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ' || c == 0x7f: // Not behind a backslash either: a quoted-pair is of printable characters.
			return -1
		case escaped:
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case c == '>' && !quoted:
			return i
		}
	}
	return -1
}

// validPath is a rough check: a local-part, an @, a domain, without spaces outside quotes.
// <postmaster> has no domain and is valid, RFC 5321 §4.5.1.
func validPath(p string) bool {
	local, domain := splitPath(p)
	if strings.EqualFold(p, "postmaster") {
		return true
	}
	if local == "" || domain == "" || strings.ContainsAny(domain, " \"<>") {
		return false
	}
	return strings.HasPrefix(local, `"`) || !strings.ContainsAny(local, " <>\"@")
}

// splitPath divides a path at its last @. Without one, domain is empty.
func splitPath(p string) (local, domain string) {
	i := strings.LastIndexByte(p, '@')
	if i < 0 {
		return p, ""
	}
	return p[:i], p[i+1:]
}

// ascii reports whether s is free of bytes above 127.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
