package cache

import (
	_ "embed"

	"github.com/klauspost/compress/s2"
)

// The first byte of a stored value: its version and whether its body is compressed.
const (
	plain1  = 0x10 // Version 1, as it is.
	packed1 = 0x11 // Version 1, a block of S2 with dictionary1.
)

// maxBody bounds a body before compression, so that a few bytes can't unfold into much. What trimming leaves of a
// record is smaller, whatever a server says.
const maxBody = 64 << 10

// dictionary1 is text that servers' replies and greetings are made of. It belongs to version 1 and must not change.
//
//go:embed dictionary1.txt
var dictionary1 []byte

// dictionary is dictionary1 ready for use.
var dictionary = s2.MakeDict(dictionary1, nil)

// small is the size of a body up to which packing it tighter is worth its time: that of most without a dialogue.
const small = 260

// pack returns the stored value of a body.
func pack(body []byte) []byte {
	encode := dictionary.Encode
	if len(body) <= small {
		encode = dictionary.EncodeBetter
	}
	value := make([]byte, 1+s2.MaxEncodedLen(len(body)))
	block := encode(value[1:], body)
	if len(block) < len(body) {
		value[0] = packed1
		return value[:1+len(block)]
	}
	return append(append(value[:0], plain1), body...)
}

// unpack returns the body of a stored value.
func unpack(value []byte) ([]byte, error) {
	if len(value) == 0 {
		return nil, errWire
	}
	switch block := value[1:]; value[0] {
	case plain1:
		return block, nil
	case packed1:
		if n, err := s2.DecodedLen(block); err != nil || n > maxBody {
			return nil, errWire
		}
		body, err := dictionary.Decode(nil, block)
		if err != nil {
			return nil, errWire
		}
		return body, nil
	default:
		return nil, errWire
	}
}
