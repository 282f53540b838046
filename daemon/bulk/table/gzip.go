package table

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
)

// ratioFrom is the number of unpacked bytes from which on the ratio is judged: short runs of zeros are no bomb.
const ratioFrom = 16 << 20

// A source is the unpacked bytes of an input, within the limits on size.
type source struct {
	r      *bufio.Reader // Packed or plain.
	in     *counter      // Below r.
	zr     *gzip.Reader  // Nil if plain.
	limits Limits
	out    int64
	err    error // Sticky.
}

// A counter counts what is read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// newSource finds out by its magic bytes, RFC 1952 §2.3.1, whether r is packed. It errs as Read does.
func newSource(r io.Reader, limits Limits) (*source, error) {
	s := &source{in: &counter{r: r}, limits: limits}
	s.r = bufio.NewReaderSize(s.in, 64<<10)
	magic, err := s.r.Peek(2)
	if err != nil && err != io.EOF {
		return nil, cutShort(err)
	}
	if len(magic) < 2 || magic[0] != 0x1f || magic[1] != 0x8b {
		return s, nil
	}
	if s.zr, err = gzip.NewReader(s.r); err != nil {
		return nil, gzipError(err)
	}
	s.zr.Multistream(false)
	return s, nil
}

func (s *source) packed() bool { return s.zr != nil }

// Read unpacks, and hands out no more than the limit. Errors are ErrTruncated, ErrCorrupt and ErrTooLarge, wrapped, or
// what the reader below says.
func (s *source) Read(b []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.read(b)
	s.out += int64(n)
	switch over := s.out - s.limits.Bytes; {
	case over > 0:
		n -= int(over) // Where it ends does not depend on how much the reader below gave at once.
		err = fmt.Errorf("%w: more than %s bytes", ErrTooLarge, thousands(s.limits.Bytes))
	case s.zr != nil && s.out > ratioFrom && s.out/s.limits.Ratio > s.in.n:
		err = fmt.Errorf("%w: gzip inflates it more than %d times", ErrTooLarge, s.limits.Ratio)
	}
	s.err = err
	return n, err
}

func (s *source) read(b []byte) (int, error) {
	if s.zr == nil {
		n, err := s.r.Read(b)
		return n, cutShort(err)
	}
	n, err := s.zr.Read(b)
	if err == io.EOF {
		err = s.nextMember()
	}
	if err == io.EOF {
		return n, io.EOF
	}
	return n, gzipError(err)
}

// nextMember starts the next of several gzip members, RFC 1952 §2.2. Zeros behind the last one are padding, as gzip(1)
// takes them; io.EOF says that there is nothing more.
func (s *source) nextMember() error {
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return cutShort(err)
		}
		if c == 0 {
			continue
		}
		if err := s.r.UnreadByte(); err != nil {
			return err
		}
		break
	}
	err := s.zr.Reset(s.r)
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	s.zr.Multistream(false)
	return err
}

// cutShort makes an unexpected end below an ErrTruncated.
func cutShort(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrTruncated) {
		return fmt.Errorf("%w: %w", ErrTruncated, err)
	}
	return err
}

func gzipError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("%w: the gzip stream has no end", ErrTruncated)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the gzip stream has no end: %w", ErrTruncated, err)
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if _, ok := errors.AsType[flate.CorruptInputError](err); ok {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if _, ok := errors.AsType[flate.InternalError](err); ok { // So it calls some codes that no deflate stream has.
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}
