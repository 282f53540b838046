package reply

// An automaton finds many pieces of text at once, in one pass over the squeezed text (Aho and Corasick, 1975).
// It is made once and only read afterwards.
type automaton struct {
	root  [256]int32 // Where the root goes; itself (0) for bytes that begin no piece.
	nodes []node
	edges []edge
	outs  []output // Grouped by node.
}

// A node is a prefix of at least one piece. Most have one edge, which therefore stands in the node itself.
type node struct {
	first         edge
	edge, edges   int32 // Its other edges: a range of automaton.edges.
	fail          int32 // The longest proper suffix that is a node too.
	report        int32 // The nearest node, itself or by fail, at which a piece ends; 0 if none.
	further       int32 // The next nearest.
	out, outCount int32 // The pieces that end here: a range of automaton.outs.
}

// An output is a piece that ends at a node, with all that decides whether it counts there.
type output struct {
	piece     int32
	length    uint16
	openStart bool
	openEnd   bool
}

type edge struct {
	to int32
	b  byte
}

// trie is an automaton in the making.
type trie struct {
	next [][]edge // By node.
	outs [][]output
}

func newTrie() *trie {
	return &trie{next: make([][]edge, 1), outs: make([][]output, 1)}
}

// add makes the automaton report p, of this id, where it ends.
func (t *trie) add(p piece, id int32) {
	text := p.text
	n := int32(0)
	for i := range len(text) {
		n = t.child(n, text[i])
	}
	t.outs[n] = append(t.outs[n], output{piece: id, length: uint16(len(text)), openStart: p.openStart, openEnd: p.openEnd}) //nolint:gosec // G115: a word of a rule.
}

// child is the node after n by byte b, made on first use.
func (t *trie) child(n int32, b byte) int32 {
	for _, e := range t.next[n] {
		if e.b == b {
			return e.to
		}
	}
	to := int32(len(t.next)) //nolint:gosec // G115: bounded by the rules, which are few.
	t.next[n] = append(t.next[n], edge{to: to, b: b})
	t.next, t.outs = append(t.next, nil), append(t.outs, nil)
	return to
}

// build lays the trie out flat and links each node to its suffix, breadth first.
func (t *trie) build() *automaton {
	a := &automaton{nodes: make([]node, len(t.next))}
	for _, e := range t.next[0] {
		a.root[e.b] = e.to
	}
	queue := make([]int32, 1, len(t.next))
	for i := 0; i < len(queue); i++ {
		n := queue[i]
		nd := &a.nodes[n]
		nd.out, nd.outCount = int32(len(a.outs)), int32(len(t.outs[n])) //nolint:gosec // G115: bounded by the rules, which are few.
		a.outs = append(a.outs, t.outs[n]...)
		nd.further = a.nodes[nd.fail].report
		nd.report = nd.further
		if nd.outCount > 0 {
			nd.report = n
		}
		nd.edge = int32(len(a.edges)) //nolint:gosec // G115: bounded by the rules, which are few.
		for j, e := range t.next[n] {
			if j == 0 {
				nd.first = e
			} else {
				a.edges = append(a.edges, e)
			}
			if n != 0 {
				a.nodes[e.to].fail = a.step(nd.fail, e.b)
			}
			queue = append(queue, e.to)
		}
		nd.edges = int32(len(a.edges)) - nd.edge //nolint:gosec // G115: bounded by the rules, which are few.
	}
	return a
}

// step goes from node n by byte b.
func (a *automaton) step(n int32, b byte) int32 {
	for n != 0 {
		nd := &a.nodes[n]
		if nd.first.b == b {
			return nd.first.to
		}
		if nd.edges > 0 {
			for _, e := range a.edges[nd.edge : nd.edge+nd.edges] {
				if e.b == b {
					return e.to
				}
			}
		}
		n = nd.fail
	}
	return a.root[b]
}
