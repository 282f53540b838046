package judge

import (
	"hash/fnv"
	"strconv"
	"strings"
)

// Words is a hash of the words of a refusal: the same for replies that differ only in whom they refuse, and in numbers
// and names that a server makes up for each. It is never 0. path is the forward-path that was refused.
func Words(code int, enhanced, text, path string) uint64 {
	at := strings.LastIndexByte(path, '@')
	local, domain := path[:max(at, 0)], path[at+1:]
	h := fnv.New64a()
	write := func(s string) { // A hash takes whatever is written.
		_, _ = h.Write([]byte(s))
		_, _ = h.Write([]byte{0})
	}
	write(strconv.Itoa(code))
	write(enhanced)
	for word := range strings.FieldsFuncSeq(strings.ToLower(text), isGap) {
		if strings.ContainsAny(word, "0123456789@") || word == strings.ToLower(local) || word == strings.ToLower(domain) {
			continue
		}
		write(word)
	}
	return max(h.Sum64(), 1)
}

// isGap reports whether r stands between words. What may be part of a mailbox is none, so that an address is one word.
func isGap(r rune) bool {
	return strings.ContainsRune(" \t\r\n<>()[]{}:;,\"'!?", r)
}
