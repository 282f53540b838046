package pool

import "time"

// A pace is how long the servers of a path usually take over a reply. The zero pace knows nothing.
type pace struct{ usual time.Duration }

const (
	oddFactor = 5           // How many times the usual time is odd.
	oddLeast  = time.Second // What is never odd.
)

// odd takes note of a flight's slowest reply, and reports whether it took out of all proportion: the server has
// begun to slow this session down, as many do after a number of refusals, and a fresh session fares better.
// Where every session is slow, that becomes the usual after a few.
func (p *pace) odd(took time.Duration) bool {
	if p.usual == 0 {
		p.usual = took
		return false
	}
	limit := max(oddFactor*p.usual, oddLeast)
	p.usual += (min(took, limit) - p.usual) / 8
	return took > limit
}
