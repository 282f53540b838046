package reply

import "bytes"

// joined reads a chunk that holds some of . - _ @ : / and their like: it may be an address, a host name, a URL,
// an IP address, an enhanced code, or words with punctuation between them. first tells that it begins the text.
func (s *scan) joined(b []byte, first bool) {
	if i := bytes.IndexByte(b, fold); i >= 0 {
		s.folded(b, i, first)
		return
	}
	if first && bytes.HasSuffix(b, []byte("...")) && bytes.IndexByte(b, '@') < 0 {
		return // Sendmail begins with the local-part: "ada... User unknown".
	}
	if i := bytes.Index(b, []byte("...")); i >= 0 && i+3 < len(b) {
		s.joined(b[:i+3], first)
		s.rest(b[i+3:])
		return
	}
	if i := bytes.IndexByte(b, '@'); i >= 0 {
		s.address(b, i)
		return
	}
	if isIPv6(trimJoins(b)) {
		s.raise(s.t.signs[signIP])
		return
	}
	s.parts(b)
}

// folded reads a chunk with a line end in it at i: as one name if that is what it makes, otherwise as two chunks.
func (s *scan) folded(b []byte, i int, first bool) {
	left, right := b[:i], b[i+1:]
	if len(left) > 0 && len(right) > 0 && len(b) < 256 && bytes.ContainsAny(left[:len(left)-1], "@.:") {
		var buf [256]byte
		whole := append(append(buf[:0], left...), right...)
		end := nameEnd(whole)
		if end > len(left) && isName(trimJoins(whole[:end])) {
			s.joined(whole[:end], first)
			s.rest(b[end+1:])
			return
		}
	}
	s.rest(left)
	s.rest(right)
}

// nameEnd is where the address or host name at the start of b ends: at the next fold, or at the last byte.
func nameEnd(b []byte) int {
	if i := bytes.IndexByte(b, fold); i >= 0 {
		return i
	}
	return len(b)
}

// isName reports whether b as a whole is an address, a host name, an IP address or an enhanced code.
func isName(b []byte) bool {
	if local, domain, ok := bytes.Cut(b, []byte("@")); ok {
		return len(local) > 0 && isHost(domain, true)
	}
	return isIPv4(b) || isIPv6(b) || isHost(b, true)
}

// rest reads a part of a chunk afresh.
func (s *scan) rest(b []byte) {
	for len(b) > 0 && kinds[b[0]] != isLetter && b[0] != '@' {
		b = b[1:]
	}
	for _, c := range b {
		if kinds[c] == isJoin {
			s.joined(b, false)
			return
		}
	}
	if len(b) > 0 {
		s.plain(b)
	}
}

// address skips the address whose @ stands at b[at], and reads what stands around it.
func (s *scan) address(b []byte, at int) {
	start, end := at, at+1
	for start > 0 && inLocalPart(b[start-1]) {
		start--
	}
	for end < len(b) && (kinds[b[end]] == isLetter || b[end] == '.' || b[end] == '-' || b[end] == '_') {
		end++
	}
	if i := bytes.Index(b[at:end], []byte("..")); i >= 0 {
		end = at + i
	}
	if end-start > 1 {
		s.raise(s.t.signs[signAddress])
	}
	s.rest(b[:start])
	s.rest(b[end:])
}

func inLocalPart(c byte) bool {
	return kinds[c] == isLetter || c == '.' || c == '-' || c == '_' || c == '+' || c == '=' || c == '~' || c == '%'
}

// parts splits a chunk without addresses where no name goes on, and reads each part.
func (s *scan) parts(b []byte) {
	for len(b) > 0 {
		n := 0
		for n < len(b) && (kinds[b[n]] == isLetter || b[n] == '.' || b[n] == '-' || b[n] == '_') {
			n++
		}
		s.part(trimJoins(b[:n]))
		if n < len(b) {
			n++
		}
		b = b[n:]
	}
}

// part reads one piece of dots, dashes and words.
func (s *scan) part(b []byte) {
	switch {
	case len(b) == 0:
	case bytes.IndexByte(b, '.') < 0:
		s.words(b)
	case isIPv4(b):
		s.raise(s.t.signs[signIP])
	case s.enhancedCode(b):
	case isHost(b, false):
		s.host(b)
	default:
		s.words(b)
	}
}

// words reads the words of b, whatever stands between them.
func (s *scan) words(b []byte) {
	for i := 0; i < len(b); {
		if kinds[b[i]] != isLetter {
			i++
			continue
		}
		j := i
		for j < len(b) && kinds[b[j]] == isLetter {
			j++
		}
		if j < len(b) && b[j] == '-' && j-i == 3 && codePattern(b[i:j]) == s.code {
			// Our own code again, as in a reply of several lines that someone joined.
			s.part(trimJoins(b[j+1:]))
			return
		}
		s.plain(b[i:j])
		i = j
	}
}

// host looks up a host name and its parents among those that rules ask for. It is no word: most hosts in a
// reply are the two parties'.
func (s *scan) host(b []byte) {
	var buf [256]byte
	if len(b) > len(buf) {
		return
	}
	name := bytes.TrimRight(appendLower(buf[:0], b), ".")
	for {
		if x, ok := s.t.hosts[string(name)]; ok {
			s.raise(x)
		}
		i := bytes.IndexByte(name, '.')
		if i < 0 {
			return
		}
		name = name[i+1:]
	}
}

func appendLower(dst, b []byte) []byte {
	for _, c := range b {
		dst = append(dst, lower[c])
	}
	return dst
}

// trimJoins cuts punctuation off both ends.
func trimJoins(b []byte) []byte {
	for len(b) > 0 && kinds[b[0]] != isLetter {
		b = b[1:]
	}
	for len(b) > 0 && kinds[b[len(b)-1]] != isLetter {
		b = b[:len(b)-1]
	}
	return b
}

// isIPv4 reports whether b is four numbers with dots, the last of which may be hidden as x.
func isIPv4(b []byte) bool {
	groups, digits := 1, 0
	for _, c := range b {
		switch {
		case (isDigit(c) || c == 'x' || c == 'X') && digits < 3:
			digits++
		case c == '.' && digits > 0:
			groups++
			digits = 0
		default:
			return false
		}
	}
	return groups == 4 && digits > 0
}

// isIPv6 reports whether b looks like an IPv6 address. A clock is none.
func isIPv6(b []byte) bool {
	colons := 0
	for _, c := range b {
		switch {
		case c == ':':
			colons++
		case isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' || c == '.':
		default:
			return false
		}
	}
	return colons >= 3 || colons == 2 && bytes.Contains(b, []byte("::"))
}

// isHost reports whether b is a host name rather than words with dots between them, such as "rejected.Please" or
// "RESOLVER.ADR.NotFound". Its last label must be a known top-level name; unless strict, three labels with a digit
// or a dash will do as well.
func isHost(b []byte, strict bool) bool {
	labels, start := 0, 0
	for i := 0; i <= len(b); i++ {
		if i < len(b) && b[i] != '.' {
			continue
		}
		if i == start {
			return false
		}
		labels++
		if i == len(b) {
			break
		}
		start = i + 1
	}
	if labels < 2 {
		return false
	}
	last := b[start:]
	if isDigit(last[0]) {
		return false
	}
	return isTopLevel(last) || !strict && labels >= 3 && bytes.ContainsAny(b, "0123456789-")
}

// isTopLevel reports whether b is a top-level name that turns up in replies: a country's (two letters), or one
// of the list. Newer generic ones are left out when they are words that begin a sentence.
func isTopLevel(b []byte) bool {
	if len(b) == 2 {
		return kinds[b[0]] == isLetter && kinds[b[1]] == isLetter
	}
	var buf [24]byte
	if len(b) > len(buf) {
		return false
	}
	return topLevel[string(appendLower(buf[:0], b))]
}

var topLevel = map[string]bool{
	"com": true, "net": true, "org": true, "edu": true, "gov": true, "mil": true, "int": true, "arpa": true,
	"info": true, "biz": true, "name": true, "pro": true, "mobi": true, "asia": true, "coop": true, "aero": true,
	"museum": true, "jobs": true, "travel": true, "cat": true, "tel": true, "xyz": true, "online": true, "site": true,
	"shop": true, "store": true, "tech": true, "cloud": true, "app": true, "dev": true, "club": true, "top": true,
	"vip": true, "icu": true, "agency": true, "digital": true, "group": true, "live": true, "life": true, "world": true,
	"berlin": true, "hamburg": true, "koeln": true, "bayern": true, "wien": true, "london": true, "paris": true,
	"amsterdam": true, "swiss": true, "ngo": true, "eco": true, "bank": true, "law": true, "games": true, "media": true,
	"local": true, "localdomain": true, "lan": true, "internal": true, "intern": true, "corp": true, "home": true,
	"ninja": true, "rocks": true, "systems": true, "solutions": true, "services": true, "network": true, "studio": true,
	"design": true, "blog": true, "space": true, "website": true, "consulting": true, "academy": true,
	"nyc": true, "tokyo": true, "moscow": true, "ovh": true, "scot": true, "wales": true, "ltd": true, "inc": true,
	"gmbh": true, "llc": true, "one": true, "cc": true, "fun": true, "pub": true, "zone": true, "care": true,
	"test": true, "example": true, "invalid": true, "localhost": true, "onion": true, "google": true, "microsoft": true,
	"outlook": true,
}
