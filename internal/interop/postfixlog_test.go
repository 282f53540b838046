//go:build interop

package interop

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// postfixEnd is the last line of a session in Postfix's log, with its count of commands: accepted, or accepted/all.
//
//	postfix/smtpd[13]: disconnect from probe.egress.test[127.77.9.1] ehlo=1 mail=1 rcpt=1/3 rset=1 quit=1 commands=5/7
var postfixEnd = regexp.MustCompile(`^postfix/(?:\w+/)?smtpd\[\d+\]: disconnect from \S+\[([0-9.]+)\] (.*)`)

// postfixStart is the first.
var postfixStart = regexp.MustCompile(`^postfix/(?:\w+/)?smtpd\[\d+\]: connect from \S+\[([0-9.]+)\]`)

// postfixSessions waits until the log has the end of every session of client, and returns them.
func postfixSessions(t testing.TB, log *systemLog, client netip.Addr) []session {
	t.Helper()
	lines := log.wait(t, "the end of our sessions", func(lines []string) bool {
		open := 0
		for _, line := range lines {
			if isOf(postfixStart, line, client) {
				open++
			} else if isOf(postfixEnd, line, client) {
				open--
			}
		}
		return open == 0
	})
	var sessions []session
	for _, line := range lines {
		if isOf(postfixEnd, line, client) {
			sessions = append(sessions, parsePostfixEnd(t, line))
		}
	}
	return sessions
}

// isOf reports whether line matches re and its first group is client.
func isOf(re *regexp.Regexp, line string, client netip.Addr) bool {
	m := re.FindStringSubmatch(line)
	return m != nil && m[1] == client.String()
}

// parsePostfixEnd reads the counts in a session's last line.
func parsePostfixEnd(t testing.TB, line string) session {
	t.Helper()
	s := session{commands: make(map[string]int), log: line}
	for field := range strings.FieldsSeq(postfixEnd.FindStringSubmatch(line)[2]) {
		verb, counts, _ := strings.Cut(field, "=")
		accepted, all, split := strings.Cut(counts, "/")
		if !split {
			all = accepted
		}
		a, errA := strconv.Atoi(accepted)
		b, errB := strconv.Atoi(all)
		if errA != nil || errB != nil {
			t.Fatalf("Postfix's log: %q in %q is no count", field, line)
		}
		s.commands[verb] = b
		if verb == "rcpt" {
			s.refused = b - a
		}
	}
	s.cut = s.commands["quit"] == 0
	return s
}
