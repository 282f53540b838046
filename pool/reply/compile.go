package reply

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/verimails/verimaild/pool/smtp"
)

// Bounds of a table: the sizes of what a scan keeps on the stack.
const (
	maxRules   = 1024
	maxSignals = 2048
	maxGapped  = 320 // Segments of phrases with gaps.
)

// A signal is something that a reply may show: a phrase, one of a word list, a host, a sign. 0 is none.
type signal uint16

// The signs that the scanner sees by itself.
const (
	signIP = iota
	signAddress
	signSaid4
	signSaid5
	signCount
)

var signNames = [signCount]string{signIP: "{ip}", signAddress: "{address}", signSaid4: "{said4}", signSaid5: "{said5}"}

// A pieceUse is what finding a piece means.
type pieceUse struct {
	written
	sinks []sink
}

// A sink is the place of a piece in a phrase.
type sink struct {
	signal signal
	slot   int32 // Where the scan keeps the end of this segment; -1 for the last one.
	after  int32 // The slot of the segment before it; -1 for the first one.
	gap    int32 // How many letters may stand after that one.
}

type ruleSet [maxRules / 64]uint64

func (s *ruleSet) add(i int) { s[i/64] |= 1 << (i % 64) }

// A compiler turns rules into a Table and gathers what is wrong with them.
type compiler struct {
	t       *Table
	words   map[string][]string
	terms   map[string][]string
	trie    *trie
	signals map[string]signal
	pieces  map[piece]int32
	slots   map[segmentKey]int32
	errs    []error
}

func newCompiler(words, terms map[string][]string) *compiler {
	c := &compiler{
		t: &Table{
			byName: make(map[string]int), hosts: make(map[string]signal),
			words: map[string]bool{"http": true, "https": true, "www": true, "said": true}, openWords: make(map[string]bool),
			lists: make([][]signal, 1), names: make([]string, 1),
		},
		words: words, terms: terms, trie: newTrie(), signals: make(map[string]signal), pieces: make(map[piece]int32),
		slots: make(map[segmentKey]int32),
	}
	return c
}

// fail notes that key of rule r is wrong.
func (c *compiler) fail(r *Rule, key string, err error) {
	c.errs = append(c.errs, fmt.Errorf("reply rule %q: %s: %w", r.Name, key, err))
}

var namePattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// add compiles one rule.
func (c *compiler) add(r Rule) {
	if !namePattern.MatchString(r.Name) {
		c.fail(&r, "name", errors.New("want lower-case letters, digits and single dashes"))
	}
	if _, ok := c.t.byName[r.Name]; ok {
		c.fail(&r, "name", errors.New("there is another rule of this name"))
		return
	}
	c.meaning(&r)
	cond := condition{
		stages: c.stages(&r), codes: c.codes(&r), enhanced: c.enhanced(&r), providers: strings.Fields(r.Provider),
	}
	for _, w := range r.Words {
		cond.all = append(cond.all, c.set(&r, "words", []string{w}))
	}
	if len(r.Any) > 0 {
		cond.all = append(cond.all, c.set(&r, "any", r.Any))
	}
	cond.not = c.set(&r, "not", r.Not)
	c.t.byName[r.Name] = len(c.t.rules)
	c.t.rules, c.t.conds = append(c.t.rules, r), append(c.t.conds, cond)
}

// meaning checks what r says and fills in the usual scope.
func (c *compiler) meaning(r *Rule) {
	scope, ok := usualScope[r.Class]
	if !ok {
		c.fail(r, "class", fmt.Errorf("%q is no class", r.Class))
	}
	r.Scope = cmp.Or(r.Scope, scope)
	if ok && !knownScopes[r.Scope] {
		c.fail(r, "scope", fmt.Errorf("%q is no scope", r.Scope))
	}
	if ok && r.Class.dead() && r.Scope != ScopeMailbox {
		c.fail(r, "scope", fmt.Errorf("%s is about the mailbox, not the %s", r.Class, r.Scope))
	}
	if !knownDetails[r.Detail] {
		c.fail(r, "detail", fmt.Errorf("%q is no detail", r.Detail))
	}
	if r.Retry != 0 && (r.Retry < time.Second || r.Retry > maxRetry) {
		c.fail(r, "retry", fmt.Errorf("%v: want 1s to %v", r.Retry, maxRetry))
	}
}

// stages is where r applies. A mailbox is spoken of only at RCPT.
func (c *compiler) stages(r *Rule) stageSet {
	allowed := allStages
	if r.Class.aboutMailbox() || r.Scope == ScopeMailbox {
		allowed = rcptOnly
	}
	if r.Stage == "" {
		return allowed
	}
	var set stageSet
	for name := range strings.FieldsSeq(r.Stage) {
		i := slices.Index(stageNames[:], smtp.Stage(name))
		if i < 0 {
			c.fail(r, "stage", fmt.Errorf("%q is no stage", name))
			continue
		}
		set |= 1 << i
	}
	if set&^allowed != 0 {
		c.fail(r, "stage", fmt.Errorf("%s with scope %s can only be said at rcpt", r.Class, r.Scope))
	}
	return set & allowed
}

func (c *compiler) codes(r *Rule) []codePattern {
	code := r.Code
	if code == "" {
		code = "4yz 5yz"
		if r.Class.dead() {
			code = "5yz"
		}
	}
	var out []codePattern
	for s := range strings.FieldsSeq(code) {
		p, err := parseCode(s)
		if err != nil {
			c.fail(r, "code", err)
			continue
		}
		if r.Class.dead() && p[0] < '4' || r.Class == Accepted && p[0] > '3' {
			c.fail(r, "code", fmt.Errorf("%s can't be said with %s", r.Class, s))
		}
		out = append(out, p)
	}
	return out
}

func (c *compiler) enhanced(r *Rule) []enhancedPattern {
	var out []enhancedPattern
	for s := range strings.FieldsSeq(r.Enhanced) {
		p, err := parseEnhanced(s)
		if err != nil {
			c.fail(r, "enhanced", err)
			continue
		}
		out = append(out, p)
	}
	return out
}

// set returns the signals of texts.
func (c *compiler) set(r *Rule, key string, texts []string) []signal {
	var out []signal
	for _, text := range texts {
		s, err := c.signal(text)
		if err != nil {
			c.fail(r, key, err)
			continue
		}
		out = append(out, s)
	}
	return out
}

// signal returns the signal that text stands for, made on first use.
func (c *compiler) signal(text string) (signal, error) {
	if s, ok := c.signals[text]; ok {
		return s, nil
	}
	s := signal(len(c.t.names)) //nolint:gosec // G115: at most maxSignals.
	if len(c.t.names) >= maxSignals {
		return 0, fmt.Errorf("more than %d phrases", maxSignals)
	}
	c.signals[text] = s
	c.t.names, c.t.lists = append(c.t.names, text), append(c.t.lists, nil)
	if name, ok := strings.CutPrefix(text, "$"); ok {
		return s, c.list(name, s)
	}
	if host, ok := strings.CutPrefix(text, "host:"); ok {
		if strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" || !strings.Contains(host, ".") {
			return 0, fmt.Errorf("%q: want a host name in lower case", text)
		}
		c.t.hosts[host] = s
		return s, nil
	}
	if i := slices.Index(signNames[:], text); i >= 0 {
		c.t.signs[i] = s
		return s, nil
	}
	return s, c.phrase(text, s)
}

// list makes each phrase of a word list raise s.
func (c *compiler) list(name string, s signal) error {
	texts, ok := c.words[name]
	if !ok {
		return fmt.Errorf("$%s: there is no such word list", name)
	}
	for _, text := range texts {
		m, err := c.signal(text)
		if err != nil {
			return fmt.Errorf("$%s: %w", name, err)
		}
		c.t.lists[m] = append(c.t.lists[m], s)
	}
	return nil
}

// A segmentKey tells segments apart: phrases that begin alike share their slots.
type segmentKey struct {
	after int32
	gap   int
	text  string
}

// phrase makes the automaton look for text, and raise s.
func (c *compiler) phrase(text string, s signal) error {
	p, err := parsePhrase(text, c.terms)
	if err != nil {
		return err
	}
	after := int32(-1)
	for i, seg := range p.segments {
		if i == len(p.segments)-1 {
			c.sinks(seg, sink{signal: s, slot: -1, after: after, gap: int32(seg.gap)}) //nolint:gosec // G115: a gap of some letters.
			break
		}
		key := segmentKey{after, seg.gap, seg.text}
		slot, ok := c.slots[key]
		if !ok {
			slot = int32(len(c.slots)) //nolint:gosec // G115: at most maxGapped.
			c.slots[key] = slot
			c.sinks(seg, sink{slot: slot, after: after, gap: int32(seg.gap)}) //nolint:gosec // G115: a gap of some letters.
		}
		after = slot
	}
	if len(c.slots) > maxGapped {
		return fmt.Errorf("more than %d phrases with gaps", maxGapped)
	}
	return nil
}

// sinks makes each piece of a segment lead to k.
func (c *compiler) sinks(seg segment, k sink) {
	for _, pc := range seg.pieces {
		id, ok := c.pieces[pc.piece]
		if !ok {
			id = int32(len(c.t.pieces)) //nolint:gosec // G115: bounded by the rules, which are few.
			c.pieces[pc.piece] = id
			c.t.pieces = append(c.t.pieces, pieceUse{written: pc})
			c.trie.add(pc.piece, id)
			c.learn(pc.as)
		}
		use := &c.t.pieces[id]
		use.sinks = append(use.sinks, k)
	}
}

// learn notes the words of a piece, so that a line end within one of them is seen for what it is.
func (c *compiler) learn(as string) {
	for w := range strings.FieldsSeq(as) {
		if head, ok := strings.CutSuffix(w, "*"); ok {
			c.t.openWords[head] = true
			w = head
		}
		c.t.words[strings.TrimPrefix(w, "*")] = true
	}
}

// table finishes the table, or says all that is wrong.
func (c *compiler) table() (*Table, error) {
	t := c.t
	if len(t.rules) > maxRules {
		c.errs = append(c.errs, fmt.Errorf("more than %d reply rules", maxRules))
	}
	c.checkReach()
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	t.auto = c.trie.build()
	t.starts = make([][]uint16, len(t.names))
	for i := range t.conds {
		t.index(i)
	}
	return t, nil
}

// index enters rule i where a scan will look for it.
func (t *Table) index(i int) {
	cond := &t.conds[i]
	for st := range stages {
		if cond.stages&(1<<st) == 0 {
			continue
		}
		for _, p := range cond.codes {
			t.fit[st][p[0]-'2'].add(i)
		}
	}
	if len(cond.all) == 0 {
		t.always.add(i)
		return
	}
	// One of the sets is enough to start from: the rest is checked then.
	for _, s := range cond.all[0] {
		t.starts[s] = append(t.starts[s], uint16(i)) //nolint:gosec // G115: at most maxRules.
	}
}
