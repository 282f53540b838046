package reply

import (
	"math/bits"
	"unicode/utf8"

	"github.com/verimails/verimaild/pool/smtp"
)

// maxText is how much of a reply's text is read: bytes as they came, and letters and digits after squeezing.
const maxText = 2048

// typicalText is what a reply's text fits into as a rule. A longer one costs an allocation.
const typicalText = 512

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
	trace    *trace // Not nil if it is wanted which words were found.
}

// A trace remembers the words by which a scan found its phrases.
type trace struct {
	segments map[int32]string // By slot.
	phrases  map[signal]string
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
	if len(w) > maxText-s.n {
		return
	}
	s.beginWord()
	for i, c := range w {
		if c >= utf8.RuneSelf {
			s.foreignWord(w[i:])
			return
		}
		s.letter(lower[c], i == len(w)-1 || w[i+1] >= firstUnspaced)
	}
}

// unspaced is where the scripts begin that are written without spaces, so that every rune is a word;
// firstUnspaced is the first byte of their UTF-8.
const (
	unspaced      = 0x3000
	firstUnspaced = 0xE3
)

// foreignWord reads the rest of a word from its first letter beyond ASCII on.
func (s *scan) foreignWord(w []byte) {
	begins := false
	for len(w) > 0 {
		r, size := utf8.DecodeRune(w)
		w = w[size:]
		if begins || r >= unspaced {
			s.beginWord()
		}
		begins = r >= unspaced
		last := len(w) == 0 || begins || w[0] >= firstUnspaced
		var buf [8]byte
		folded := appendFolded(buf[:0], r)
		for i, c := range folded {
			if s.n < maxText {
				s.letter(c, last && i == len(folded)-1)
			}
		}
	}
}

func (s *scan) beginWord() {
	if s.n < maxText {
		s.wordAt[s.n/64] |= 1 << (s.n % 64)
	}
}

// letter takes one byte of the squeezed text; last tells that its word ends here.
func (s *scan) letter(c byte, last bool) {
	a := s.t.auto
	s.n++
	s.node = a.step(s.node, c)
	if a.nodes[s.node].report != 0 {
		s.report(a.nodes[s.node].report, last)
	}
}

// report deals with all pieces that end at the letter just read, the nearest node of which is n.
func (s *scan) report(n int32, last bool) {
	a := s.t.auto
	for ; n != 0; n = a.nodes[n].further {
		nd := &a.nodes[n]
		for i := range a.outs[nd.out : nd.out+nd.outCount] {
			o := &a.outs[int(nd.out)+i]
			start := s.n - int(o.length)
			if (last || o.openEnd) && (o.openStart || s.wordAt[start/64]&(1<<(start%64)) != 0) {
				s.found(&s.t.pieces[o.piece], start)
			}
		}
	}
}

// found deals with a piece that ends at the letter just read and counts there.
func (s *scan) found(p *pieceUse, start int) {
	for _, k := range p.sinks {
		if k.after >= 0 {
			end := int(s.slots[k.after])
			if end == 0 || start < end || start-end > int(k.gap) {
				continue
			}
		}
		if s.trace != nil {
			s.trace.add(p.as, k)
		}
		if k.slot < 0 {
			s.raise(k.signal)
			continue
		}
		s.slots[k.slot] = uint16(s.n) //nolint:gosec // G115: a reply is kept up to 8 KiB.
	}
}

// add notes that the words were found in the place k of a phrase.
func (t *trace) add(words string, k sink) {
	if k.after >= 0 {
		words = t.segments[k.after] + " … " + words
	}
	if k.slot >= 0 {
		t.segments[k.slot] = words
	} else if t.phrases[k.signal] == "" {
		t.phrases[k.signal] = words
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
