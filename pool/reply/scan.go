package reply

import (
	"math/bits"
	"unicode/utf8"

	"github.com/verimails/verimaild/pool/smtp"
)

// maxText is how much of a reply's text is read: bytes as they came, and letters and digits after squeezing.
const maxText = 2048

// A scan is one reading of one reply: it lives on the stack of Classify.
type scan struct {
	t        *Table
	code     codePattern
	enhanced smtp.EnhancedCode // The reply's, or the first of its class in the text.
	node     int32             // Of the automaton.
	n        int               // Letters and digits so far.
	said     bool              // Past the start of a quoted reply.
	wordAt   [maxText/64 + 1]uint64
	signals  [maxSignals / 64]uint64
	slots    [maxGapped]uint16 // Ends of the segments found, by slot; 0 if none.
	rules    ruleSet           // Those to look at.
	fit      *ruleSet
}

func (s *scan) has(x signal) bool { return s.signals[x/64]&(1<<(x%64)) != 0 }

// raise notes that x was seen, in its word lists too, and which rules start from it.
func (s *scan) raise(x signal) {
	if x == 0 || s.has(x) {
		return
	}
	s.signals[x/64] |= 1 << (x % 64)
	for _, i := range s.t.starts[x] {
		s.rules[i/64] |= 1 << (i % 64)
	}
	for _, list := range s.t.lists[x] {
		s.raise(list)
	}
}

// word reads the bytes of one word: letters and digits, in any case and with accents.
func (s *scan) word(w []byte) {
	if len(w) == 0 || s.n >= maxText {
		return
	}
	s.beginWord()
	for i := 0; i < len(w); {
		if c := w[i]; c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			i++
			s.letter(c, i == len(w) || w[i] >= 0xE0)
			continue
		}
		r, size := utf8.DecodeRune(w[i:])
		i += size
		s.letters(r, i == len(w))
	}
}

// letters reads one rune beyond ASCII. Scripts written without spaces have a word in every rune.
func (s *scan) letters(r rune, last bool) {
	var buf [8]byte
	folded := appendFolded(buf[:0], r)
	if r >= 0x2E80 {
		s.beginWord()
		last = true
	}
	for i, c := range folded {
		s.letter(c, last && i == len(folded)-1)
	}
}

func (s *scan) beginWord() {
	if s.n < maxText {
		s.wordAt[s.n/64] |= 1 << (s.n % 64)
	}
}

// letter takes one byte of the squeezed text; last tells that its word ends here.
func (s *scan) letter(c byte, last bool) {
	if s.n >= maxText {
		return
	}
	s.n++
	s.node = s.t.auto.step(s.node, c)
	for n := s.t.auto.nodes[s.node].report; n != 0; n = s.t.auto.nodes[s.t.auto.nodes[n].fail].report {
		nd := &s.t.auto.nodes[n]
		for _, id := range s.t.auto.outs[nd.out : nd.out+nd.outCount] {
			s.found(&s.t.pieces[id], last)
		}
	}
}

// found deals with a piece that ends at the letter just read.
func (s *scan) found(p *pieceUse, last bool) {
	start := s.n - len(p.text)
	if !last && !p.openEnd || !p.openStart && s.wordAt[start/64]&(1<<(start%64)) == 0 {
		return
	}
	for _, k := range p.sinks {
		if k.after >= 0 {
			end := int(s.slots[k.after])
			if end == 0 || start < end || start-end > int(k.gap) {
				continue
			}
		}
		if k.slot < 0 {
			s.raise(k.signal)
			continue
		}
		s.slots[k.slot] = uint16(s.n)
	}
}

// decide returns the index of the first rule that is met, or -1.
func (s *scan) decide(provider string) int {
	for w := range s.rules {
		for set := s.rules[w] & s.fit[w]; set != 0; set &= set - 1 {
			i := w*64 + bits.TrailingZeros64(set)
			if s.t.conds[i].met(s, s.code, provider) {
				return i
			}
		}
	}
	return -1
}
