package reply

import (
	"bytes"
	"time"
	"unicode/utf8"
)

// delay returns the waiting time that a text states, in any usual wording: "in 300 seconds", "5 minutes",
// "after 00:04:58", "1 hour(s) 25 minute(s)", "retry=60". The longest counts, at most maxRetry; 0 if there is none.
func delay(text []byte) time.Duration {
	var longest time.Duration
	for i := 0; i < len(text); {
		if !isDigit(text[i]) || i > 0 && inNumber(text[i-1]) {
			i++
			continue
		}
		d, n := amounts(text[i:])
		if d == 0 {
			d, n = clock(text[:i], text[i:])
		}
		if d == 0 {
			d = assigned(text[:i], text[i:])
		}
		longest = max(longest, d)
		i += max(n, 1)
	}
	return min(longest, maxRetry)
}

// inNumber reports whether a digit after c is not the first of its number, or belongs to a word or a code.
func inNumber(c byte) bool {
	return c < 0x80 && kinds[c] == isLetter || c == '.' || c == '-' || c == '_' || c == '#'
}

// number reads the digits at the start of b. A number of more than six digits is no delay.
func number(b []byte) (v, n int) {
	for n < len(b) && isDigit(b[n]) {
		v = min(v*10+int(b[n]-'0'), 1e7)
		n++
	}
	if n > 6 {
		return 0, n
	}
	return v, n
}

// amounts reads numbers with units at the start of b, as many as follow one another.
func amounts(b []byte) (sum time.Duration, n int) {
	for n < len(b) {
		v, digits := number(b[n:])
		if digits == 0 {
			break
		}
		m := n + digits
		attached := m < len(b) && kinds[b[m]] == isLetter
		for m < len(b) && (b[m] == ' ' || b[m] == '-' || b[m] == fold) {
			m++
		}
		u, size := unit(b[m:], attached)
		if u == 0 {
			break
		}
		sum += time.Duration(v) * u
		n = m + size
		for n < len(b) && (b[n] == ' ' || b[n] == ',' || b[n] == '(' || b[n] == ')' || b[n] == fold) {
			n++
		}
		n += len(conjunction(b[n:]))
	}
	return sum, n
}

// conjunction is the "s) " or "and " at the start of b, as in "1 hour(s) and 5 minutes".
func conjunction(b []byte) []byte {
	for _, c := range []string{"s) and ", "s) ", "and ", "und ", "et "} {
		if bytes.HasPrefix(b, []byte(c)) {
			return b[:len(c)]
		}
	}
	return nil
}

// clock reads 00:04:58 at the start of b, if what stands before asks for a wait: otherwise it is a time of day.
func clock(before, b []byte) (d time.Duration, n int) {
	var parts [3]int
	for i := range parts {
		v, digits := number(b[n:])
		if digits == 0 || digits > 2 || v > 59 {
			return 0, n
		}
		parts[i] = v
		n += digits
		if i < 2 {
			if n >= len(b) || b[n] != ':' {
				return 0, n
			}
			n++
		}
	}
	if !asksToWait(before) {
		return 0, n
	}
	return time.Duration(parts[0])*time.Hour + time.Duration(parts[1])*time.Minute + time.Duration(parts[2])*time.Second, n
}

// assigned reads a number of seconds without a unit, as in "retry-after: 120" or "retry=60".
func assigned(before, b []byte) time.Duration {
	v, n := number(b)
	if n == 0 || n < len(b) && (kinds[b[n]] == isLetter || b[n] == '.' && n+1 < len(b) && isDigit(b[n+1])) {
		return 0
	}
	sign := bytes.TrimRight(before, " ")
	if len(sign) == 0 || sign[len(sign)-1] != '=' && sign[len(sign)-1] != ':' || !asksToWait(sign[:len(sign)-1]) {
		return 0
	}
	return time.Duration(v) * time.Second
}

// waitWords end a text after which a clock or a bare number is a wait.
var waitWords = []string{"in", "after", "for", "wait", "within", "least", "delay", "retry", "another", "next", "remaining", "later"}

// asksToWait reports whether the last word of b is one of waitWords.
func asksToWait(b []byte) bool {
	for len(b) > 0 && kinds[b[len(b)-1]] != isLetter {
		b = b[:len(b)-1]
	}
	i := len(b)
	for i > 0 && kinds[b[i-1]] == isLetter {
		i--
	}
	for _, w := range waitWords {
		if bytes.EqualFold(b[i:], []byte(w)) {
			return true
		}
	}
	return false
}

// units are how words for units of time begin, the longer ones first where one begins another.
var units = []struct {
	word string
	is   time.Duration
}{
	{"sec", time.Second},
	{"seg", time.Second},
	{"sek", time.Second},
	{"секунд", time.Second},
	{"сек", time.Second},
	{"秒", time.Second},
	{"min", time.Minute},
	{"минут", time.Minute},
	{"мин", time.Minute},
	{"分", time.Minute},
	{"hour", time.Hour},
	{"hrs", time.Hour},
	{"heure", time.Hour},
	{"hora", time.Hour},
	{"stund", time.Hour},
	{"godzin", time.Hour},
	{"час", time.Hour},
	{"小时", time.Hour},
	{"小時", time.Hour},
	{"day", 24 * time.Hour},
	{"jour", 24 * time.Hour},
	{"tag", 24 * time.Hour},
	{"giorn", 24 * time.Hour},
	{"天", 24 * time.Hour},
}

// unit reads a word for a unit of time at the start of b. Single letters count when they are attached to the number.
func unit(b []byte, attached bool) (u time.Duration, size int) {
	for size < len(b) && kinds[b[size]] == isLetter && !isDigit(b[size]) {
		size++
	}
	if attached && size == 1 {
		switch b[0] {
		case 's', 'S':
			return time.Second, size
		case 'm', 'M':
			return time.Minute, size
		case 'h', 'H':
			return time.Hour, size
		}
	}
	for _, x := range units {
		if len(x.word) <= size && bytes.EqualFold(b[:len(x.word)], []byte(x.word)) && utf8.RuneStart(b[0]) {
			return x.is, size
		}
	}
	return 0, 0
}
