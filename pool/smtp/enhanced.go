package smtp

import "strconv"

// String is the code as servers write it, such as "5.1.1"; "" for the zero EnhancedCode.
func (c EnhancedCode) String() string {
	if c == (EnhancedCode{}) {
		return ""
	}
	b := make([]byte, 0, 11)
	b = strconv.AppendUint(b, uint64(c.Class), 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, uint64(c.Subject), 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, uint64(c.Detail), 10)
	return string(b)
}

// cutEnhanced splits the enhanced code from the head of a reply line's text, RFC 2034 §4. Servers also write it as
// "#5.1.1", "(5.1.1)" or "[5.1.1]". A code whose class is not that of the reply is no code: it stays in the text.
func cutEnhanced[T []byte | string](text T, class int) (EnhancedCode, T) {
	i := 0
	if i < len(text) && (text[i] == '(' || text[i] == '[') {
		i++
	}
	if i < len(text) && text[i] == '#' {
		i++
	}
	c, i, ok := cutNumbers(text, i)
	if !ok || int(c.Class) != class || isAddress(text, i) {
		return EnhancedCode{}, text
	}
	return c, trimCode(text[i:])
}

// cutNumbers reads three numbers with dots between them, from i on.
func cutNumbers[T []byte | string](text T, i int) (c EnhancedCode, end int, ok bool) {
	if c.Class, i, ok = cutNumber(text, i); !ok || i >= len(text) || text[i] != '.' {
		return c, i, false
	}
	if c.Subject, i, ok = cutNumber(text, i+1); !ok || i >= len(text) || text[i] != '.' {
		return c, i, false
	}
	c.Detail, i, ok = cutNumber(text, i+1)
	return c, i, ok
}

// cutNumber reads one to three digits of text from i on, and is told off by a fourth.
func cutNumber[T []byte | string](text T, i int) (n uint16, end int, ok bool) {
	start := i
	for i < len(text) && text[i] >= '0' && text[i] <= '9' {
		if i-start == 3 {
			return 0, i, false
		}
		n = n*10 + uint16(text[i]-'0')
		i++
	}
	return n, i, i > start
}

// isAddress reports whether the three numbers before i are the head of an IPv4 address, as in "550 5.9.1.7 is listed".
func isAddress[T []byte | string](text T, i int) bool {
	return i+1 < len(text) && text[i] == '.' && text[i+1] >= '0' && text[i+1] <= '9'
}

// trimCode drops what belongs to the code rather than to the text after it: a closing bracket, a colon, spaces.
func trimCode[T []byte | string](rest T) T {
	if len(rest) > 0 && (rest[0] == ')' || rest[0] == ']') {
		rest = rest[1:]
	}
	if len(rest) > 0 && rest[0] == ':' {
		rest = rest[1:]
	}
	for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
		rest = rest[1:]
	}
	return rest
}
