package smtp

import "strings"

// cutLine splits one reply line, without its line end: "ddd-text", "ddd text" or "ddd". The code's first digit is 2
// to 5. Anything else is not a reply line.
func cutLine[T []byte | string](line T) (code int, more bool, text T, ok bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !digit(line[1]) || !digit(line[2]) {
		return 0, false, text, false
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	if len(line) == 3 {
		return code, false, line[3:], true
	}
	switch line[3] {
	case '-':
		return code, true, line[4:], true
	case ' ':
		return code, false, line[4:], true
	default:
		return 0, false, text, false
	}
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

// ParseReplyText reads a reply that was written down, such as in a log: "550 5.1.1 No such user", several lines of
// that form, or the text alone with its code and enhanced code given beside it. Lines may also be joined by a "\n" in
// letters, as a shell hands it over, or by a space, as Postfix logs them. A code that is not given (0) is taken from
// the text, and stays 0 if there is none; an enhanced code that is not given, or whose class is not the code's,
// likewise. The reply's times are zero.
func ParseReplyText(code int, enhanced, text string) Reply {
	var r Reply
	if code >= 200 && code <= 599 {
		r.Code = code
	}
	kept := 0
	for _, line := range splitWritten(text) {
		if c, _, rest, ok := cutLine(line); ok && (r.Code == 0 || r.Code == c) {
			r.Code, line = c, rest
		}
		c, rest := cutEnhanced(line, r.Code/100)
		if c != (EnhancedCode{}) {
			r.Enhanced = c
		}
		kept = keepLine(&r, rest, kept)
	}
	enhanced = strings.TrimSpace(enhanced)
	if c, _ := cutEnhanced(enhanced, classOf(r.Code, enhanced)); c != (EnhancedCode{}) {
		r.Enhanced = c
	}
	return r
}

// splitWritten cuts a written reply into its lines, at least one.
func splitWritten(text string) []string {
	text = strings.Trim(text, "\r\n")
	text = strings.NewReplacer("\r\n", "\n", `\r\n`, "\n", `\n`, "\n").Replace(text)
	lines := strings.Split(text, "\n")
	last := lines[len(lines)-1]
	if _, more, _, ok := cutLine(last); !ok || !more {
		return lines
	}
	// The last line says that another follows: it is in the same line then.
	code := last[:3]
	last = strings.NewReplacer(" "+code+"-", "\n"+code+"-", " "+code+" ", "\n"+code+" ").Replace(last)
	return append(lines[:len(lines)-1], strings.Split(last, "\n")...)
}

// classOf is the class that an enhanced code given beside a reply must have: the code's, or without a code its own.
func classOf(code int, enhanced string) int {
	if code != 0 {
		return code / 100
	}
	enhanced = strings.TrimLeft(enhanced, " ([#")
	if enhanced == "" {
		return 0
	}
	return int(enhanced[0]) - '0'
}

// keepLine adds one line of text to r within the bounds on what is kept, of which kept octets are used; it returns
// the new use.
func keepLine[T []byte | string](r *Reply, text T, kept int) int {
	if kept >= keptReply {
		return kept
	}
	line := printable(text, min(keptLine, keptReply-kept))
	r.Lines = append(r.Lines, line)
	return kept + len(line)
}
