package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/klauspost/compress/snappy"
)

// castagnoli is the polynomial of Badger's checksums.
func castagnoli(b []byte) uint64 {
	return uint64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

var (
	errTableShort    = errors.New("the file is too short for what it should hold")
	errTableChecksum = errors.New("checksum mismatch")
)

// verifyTable checks a table file of Badger's: its index, its first and last block, which opening reads, and the
// blocks between them until the deadline. Badger indexes into a block before it compares checksums, in goroutines of
// its own, so a damaged block can end the process.
//
// A table is blocks, index, length of the index, checksum of the index, length of the checksum; lengths are 32-bit
// big-endian.
func verifyTable(path string, compression options.CompressionType, deadline time.Time) (err error) {
	f, err := os.Open(path) //nolint:gosec // G304: in the state directory.
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	t := tableFile{r: f, size: fi.Size(), snappy: compression == options.Snappy}
	index, err := t.index()
	if err != nil {
		return err
	}
	n := index.OffsetsLength()
	if n == 0 {
		return errors.New("the index is empty")
	}
	for _, i := range []int{0, n - 1} {
		if err := t.block(index, i); err != nil {
			return err
		}
	}
	for i := 1; i < n-1 && time.Now().Before(deadline); i++ {
		if err := t.block(index, i); err != nil {
			return err
		}
	}
	return nil
}

// tableFile reads parts of a table.
type tableFile struct {
	r    io.ReaderAt
	size int64
	buf  []byte

	snappy   bool // Blocks are compressed with Snappy, checksum and all.
	unpacked []byte
}

// span reads n bytes from off. They are valid until the next call.
func (t *tableFile) span(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 || off+n > t.size {
		return nil, errTableShort
	}
	if int64(cap(t.buf)) < n {
		t.buf = make([]byte, n)
	}
	b := t.buf[:n]
	if _, err := t.r.ReadAt(b, off); err != nil {
		return nil, err
	}
	return b, nil
}

// lengthBefore reads the length field that ends at end, and returns where what it measures begins.
func (t *tableFile) lengthBefore(end int64) (start, n int64, err error) {
	b, err := t.span(end-4, 4)
	if err != nil {
		return 0, 0, err
	}
	n = int64(binary.BigEndian.Uint32(b))
	return end - 4 - n, n, nil
}

// index reads and checks the table's index. It is a copy.
func (t *tableFile) index() (*fb.TableIndex, error) {
	start, n, err := t.lengthBefore(t.size)
	if err != nil {
		return nil, err
	}
	sum, err := t.span(start, n)
	if err != nil {
		return nil, err
	}
	want, err := parseChecksum(sum)
	if err != nil {
		return nil, err
	}
	if start, n, err = t.lengthBefore(start); err != nil {
		return nil, err
	}
	b, err := t.span(start, n)
	if err != nil {
		return nil, err
	}
	// An empty index has the checksum 0, and so does a file of zeros.
	if n == 0 || castagnoli(b) != want {
		return nil, fmt.Errorf("index: %w", errTableChecksum)
	}
	return fb.GetRootAsTableIndex(append([]byte(nil), b...), 0), nil
}

// block checks the i-th block: data, its checksum, length of the checksum.
func (t *tableFile) block(index *fb.TableIndex, i int) error {
	var bo fb.BlockOffset
	if !index.Offsets(&bo, i) {
		return fmt.Errorf("block %d: not in the index", i)
	}
	b, err := t.span(int64(bo.Offset()), int64(bo.Len()))
	if err != nil {
		return fmt.Errorf("block %d: %w", i, err)
	}
	if b, err = t.unpack(b); err != nil {
		return fmt.Errorf("block %d: %w", i, err)
	}
	if len(b) < 4 {
		return fmt.Errorf("block %d: %w", i, errTableShort)
	}
	n := int(binary.BigEndian.Uint32(b[len(b)-4:]))
	data := len(b) - 4 - n
	if n < 0 || data < 0 {
		return fmt.Errorf("block %d: %w", i, errTableShort)
	}
	want, err := parseChecksum(b[data : data+n])
	if err != nil {
		return fmt.Errorf("block %d: %w", i, err)
	}
	if castagnoli(b[:data]) != want {
		return fmt.Errorf("block %d: %w", i, errTableChecksum)
	}
	return nil
}

// maxBlock bounds an unpacked block: one of 4 KB, or one record that is larger.
const maxBlock = 8 << 20

// unpack returns a block as it was before compression. It is valid until the next call.
func (t *tableFile) unpack(b []byte) ([]byte, error) {
	if !t.snappy {
		return b, nil
	}
	n, err := snappy.DecodedLen(b)
	if err != nil {
		return nil, err
	}
	if n > maxBlock {
		return nil, errTableShort
	}
	if n > cap(t.unpacked) {
		t.unpacked = make([]byte, n)
	}
	return snappy.Decode(t.unpacked[:cap(t.unpacked)], b)
}

// parseChecksum reads the sum from Badger's protocol buffer message Checksum: field 1 is the algorithm, left out for
// CRC-32C, which is the only one in use; field 2 is the sum.
func parseChecksum(b []byte) (sum uint64, err error) {
	for len(b) > 0 {
		field := b[0]
		v, n := binary.Uvarint(b[1:])
		if n <= 0 {
			return 0, errTableChecksum
		}
		b = b[1+n:]
		switch field {
		case 1 << 3:
			if v != 0 {
				return 0, errTableChecksum
			}
		case 2 << 3:
			sum = v
		default:
			return 0, errTableChecksum
		}
	}
	return sum, nil
}
