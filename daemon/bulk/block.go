package bulk

import (
	"github.com/klauspost/compress/s2"

	"github.com/verimails/verimaild/internal/wire"
)

// A block is the outcomes of one commit, packed together: by themselves they would take ten times the room and the work
// in the store.
type block struct{ rows []packed }

// A packed outcome is one row's, encoded. Copies of a row have none.
type packed struct {
	row     uint64
	outcome []byte
}

// Bounds of a block before it is packed; a store takes 512 kB.
const (
	maxBlock     = 384 << 10 // In bytes, before one more outcome of at most some kB.
	maxUnpacked  = 1 << 20
	blockVersion = 1
)

// encodeBlock appends b to dst.
func encodeBlock(dst []byte, b block) []byte {
	raw := wire.AppendCount(nil, len(b.rows))
	for _, p := range b.rows {
		raw = wire.AppendText(wire.AppendUint(raw, p.row), p.outcome)
	}
	return append(append(dst, blockVersion), s2.Encode(nil, raw)...)
}

// decodeBlock reads what encodeBlock wrote. Its outcomes are not looked into.
func decodeBlock(b []byte) (block, error) {
	if len(b) == 0 || b[0] != blockVersion {
		return block{}, errDecode
	}
	if n, err := s2.DecodedLen(b[1:]); err != nil || n > maxUnpacked {
		return block{}, errDecode
	}
	raw, err := s2.Decode(nil, b[1:])
	if err != nil {
		return block{}, errDecode
	}
	r := wire.NewReader(raw)
	n := r.UpTo(uint64(len(raw))) // Each takes more than a byte.
	out := block{rows: make([]packed, 0, min(n, maxChanges))}
	for range n {
		p := packed{row: r.Uint(), outcome: r.Bytes()}
		if r.Failed() {
			return block{}, errDecode
		}
		out.rows = append(out.rows, p)
	}
	if !r.Done() {
		return block{}, errDecode
	}
	return out, nil
}
