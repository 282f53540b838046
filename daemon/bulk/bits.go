package bulk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// A bitset is a set of rows. Its memory is one bit for each row that it can hold.
type bitset []uint64

func newBitset(rows uint64) bitset { return make(bitset, rows/64+1) }

func (b bitset) has(row uint64) bool {
	i := row / 64
	return i < uint64(len(b)) && b[i]&(1<<(row%64)) != 0
}

// add adds a row, and grows b where it must: give the result back.
func (b bitset) add(row uint64) bitset {
	for row/64 >= uint64(len(b)) {
		b = append(b, 0)
	}
	b[row/64] |= 1 << (row % 64)
	return b
}

// save writes b to a file that is synced.
func (b bitset) save(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // G304: in the job's own directory.
	if err != nil {
		return err
	}
	err = binary.Write(f, binary.LittleEndian, []uint64(b))
	return errors.Join(err, f.Sync(), f.Close())
}

// loadBitset reads what save wrote.
func loadBitset(path string) (bitset, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // G304: in the job's own directory.
	if err == nil && len(raw)%8 != 0 {
		err = fmt.Errorf("%s has %d bytes", path, len(raw))
	}
	if err != nil {
		return nil, errors.Join(errDamaged, err)
	}
	b := make(bitset, len(raw)/8)
	for i := range b {
		b[i] = binary.LittleEndian.Uint64(raw[8*i:])
	}
	return b, nil
}
