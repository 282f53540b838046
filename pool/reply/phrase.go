package reply

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A phrase is what a rule looks for in a reply's text. It is compared without regard to case, accents, spaces,
// punctuation and line ends, so "no such user" is also found in "No-such-user" and in "NoSu<fold>chUser"; it
// begins and ends where a word does. In a rule's text
//
//	block*             the word may go on (a leading * lets it begin earlier)
//	(user|mailbox)     either; (the |) may be missing
//	<box>              any word of the term called box
//	user .. unknown    at most nearGap letters in between, none perhaps
//	user ... unknown   at most wideGap letters in between
//	host:spamhaus.org  a host name in the reply is this one or below it
//	{ip} {address}     the reply names an IP address, a mail address
//	{said4} {said5}    the reply quotes another server's reply of that class
//	$name              any phrase of the word list called name
type phrase struct {
	segments []segment // One, or several with gaps between.
}

// A segment is one run of words, with its alternatives.
type segment struct {
	text   string // As a rule writes it.
	pieces []written
	gap    int // How many letters may stand before it; of no meaning in the first one.
}

// A piece is one run of letters and digits to find.
type piece struct {
	text      string // Squeezed: lower case, letters and digits only.
	openStart bool   // May begin inside a word.
	openEnd   bool   // May end inside a word.
}

// A written is a piece and how a rule writes it.
type written struct {
	piece
	as string
}

// How many letters and digits may stand between two segments: a word or two, or most of a sentence.
const (
	nearGap = 24
	wideGap = 50
)

// maxAlternatives bounds what one segment may expand to.
const maxAlternatives = 2048

// parsePhrase reads a phrase as a rule writes it.
func parsePhrase(s string, terms map[string][]string) (phrase, error) {
	var p phrase
	rest, gap := s, 0
	for rest != "" {
		text, after, next := cutGap(rest)
		texts, err := expand(text, terms)
		if err != nil {
			return phrase{}, fmt.Errorf("%q: %w", s, err)
		}
		if len(texts) > maxAlternatives {
			return phrase{}, fmt.Errorf("%q: stands for more than %d phrases", s, maxAlternatives)
		}
		seg := segment{text: text, gap: gap}
		for _, t := range texts {
			pc, err := parsePiece(t)
			if err != nil {
				return phrase{}, fmt.Errorf("%q: %w", s, err)
			}
			seg.pieces = append(seg.pieces, written{pc, strings.TrimSpace(t)})
		}
		p.segments = append(p.segments, seg)
		rest, gap = after, next
	}
	if len(p.segments) == 0 {
		return phrase{}, errors.New("empty phrase")
	}
	return p, nil
}

// cutGap cuts s at its first gap, and says how wide that is.
func cutGap(s string) (before, after string, gap int) {
	near, wide := strings.Index(s, " .. "), strings.Index(s, " ... ")
	switch {
	case wide >= 0 && (near < 0 || wide < near):
		return s[:wide], s[wide+5:], wideGap
	case near >= 0:
		return s[:near], s[near+4:], nearGap
	}
	return s, "", 0
}

func parsePiece(s string) (piece, error) {
	s = strings.TrimSpace(s)
	var pc piece
	s, pc.openStart = strings.CutPrefix(s, "*")
	s, pc.openEnd = strings.CutSuffix(s, "*")
	if strings.ContainsAny(s, "*{}$|()<>") {
		return piece{}, fmt.Errorf("%q: * stands only at an end, and $name, {sign} and host: stand alone", s)
	}
	pc.text = squeeze(s)
	if pc.text == "" {
		return piece{}, errors.New("has no letter or digit")
	}
	return pc, nil
}

// expand replaces the first (a|b) or <term> of s by each alternative, and goes on with the rest.
func expand(s string, terms map[string][]string) ([]string, error) {
	i := strings.IndexAny(s, "(<")
	if i < 0 {
		return []string{s}, nil
	}
	closing := map[byte]string{'(': ")", '<': ">"}[s[i]]
	inside, after, ok := strings.Cut(s[i+1:], closing)
	if !ok {
		return nil, fmt.Errorf("%c without %s", s[i], closing)
	}
	alternatives, err := inner(s[i], inside, terms)
	if err != nil {
		return nil, err
	}
	tails, err := expand(after, terms)
	if err != nil {
		return nil, err
	}
	out := make([]string, 0, len(alternatives)*len(tails))
	for _, alt := range alternatives {
		for _, tail := range tails {
			out = append(out, s[:i]+alt+tail)
		}
	}
	return out, nil
}

// inner lists the alternatives of one pair of brackets; a term may stand among those of round ones.
func inner(bracket byte, inside string, terms map[string][]string) ([]string, error) {
	if bracket == '<' {
		words, ok := terms[inside]
		if !ok {
			return nil, fmt.Errorf("<%s>: there is no such term", inside)
		}
		return words, nil
	}
	var out []string
	for alt := range strings.SplitSeq(inside, "|") {
		if !strings.HasPrefix(strings.TrimSpace(alt), "<") {
			out = append(out, alt)
			continue
		}
		words, err := expand(alt, terms)
		if err != nil {
			return nil, err
		}
		out = append(out, words...)
	}
	return out, nil
}

// squeeze brings s to the form in which text is compared: lower case, without accents, letters and digits only.
func squeeze(s string) string {
	var b []byte
	for _, r := range s {
		b = appendFolded(b, r)
	}
	return string(b)
}

// appendFolded appends the compared form of r to b, nothing if r is neither letter nor digit.
func appendFolded(b []byte, r rune) []byte {
	switch {
	case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
		return append(b, byte(r)) //nolint:gosec // G115: ASCII.
	case 'A' <= r && r <= 'Z':
		return append(b, byte(r)+'a'-'A') //nolint:gosec // G115: ASCII.
	case r < 0x80:
		return b
	case r < 0x180:
		return append(b, plain[r-0x80]...)
	case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r):
		return utf8.AppendRune(b, unicode.ToLower(r))
	}
	return b
}

// plain gives the letters of U+0080 to U+017F without their accents; "" is no letter.
var plain = func() (t [0x100]string) {
	groups := map[string]string{
		"a": "ÀÁÂÃÅàáâãåĀāĂăĄąª", "ae": "ÄäÆæ", "c": "ÇçĆćĈĉĊċČč", "d": "ÐðĎďĐđ", "e": "ÈÉÊËèéêëĒēĔĕĖėĘęĚě",
		"g": "ĜĝĞğĠġĢģ", "h": "ĤĥĦħ", "i": "ÌÍÎÏìíîïĨĩĪīĬĭĮįİı", "ij": "Ĳĳ", "j": "Ĵĵ", "k": "Ķķĸ", "l": "ĹĺĻļĽľĿŀŁł",
		"n": "ÑñŃńŅņŇňŉŊŋ", "o": "ÒÓÔÕØòóôõøŌōŎŏŐőº", "oe": "ÖöŒœ", "r": "ŔŕŖŗŘř", "s": "ŚśŜŝŞşŠšſ", "ss": "ß",
		"t": "ŢţŤťŦŧ", "th": "Þþ", "u": "ÙÚÛùúûŨũŪūŬŭŮůŰűŲųµ", "ue": "Üü", "w": "Ŵŵ", "y": "ÝýÿŶŷŸ", "z": "ŹźŻżŽž",
	}
	for to, from := range groups {
		for _, r := range from {
			t[r-0x80] = to
		}
	}
	return t
}()
