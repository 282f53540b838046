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

// ParseReplyText reads a reply that was written down, such as a line of a log: "550 5.1.1 No such user", several
// lines of that form, or the text alone with its code and enhanced code given beside it. A code that is not given
// (0) is taken from the text, and stays 0 if there is none; an enhanced code that is not given or does not fit the
// code likewise. The reply's times are zero.
func ParseReplyText(code int, enhanced, text string) Reply {
	var r Reply
	if code >= 200 && code <= 599 {
		r.Code = code
	}
	given, _ := cutEnhanced(strings.TrimSpace(enhanced), classOf(r.Code, enhanced))
	kept := 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if c, _, rest, ok := cutLine(line); ok && (r.Code == 0 || r.Code == c) {
			r.Code, line = c, rest
		}
		c, rest := cutEnhanced(line, r.Code/100)
		if c != (EnhancedCode{}) {
			r.Enhanced = c
		}
		kept = keepLine(&r, rest, kept)
	}
	if given != (EnhancedCode{}) && (r.Code == 0 || int(given.Class) == r.Code/100) {
		r.Enhanced = given
	}
	if len(r.Lines) == 0 {
		r.Lines = []string{""}
	}
	return r
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
