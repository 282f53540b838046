package bulk

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/verimails/verimaild/internal/wire"
)

// A question is an address to ask about, once for all rows that have it.
type question struct {
	kind kind
	row  uint64 // The first row that has it, from 1.
	rows uint32 // How many rows have it.
	text string // The normalized address; or what stands there instead; or what is wrong with the row.
}

// A kind says what the text of a question is.
type kind uint8

// The kinds.
const (
	anAddress  kind = iota
	notAddress      // Text that cannot be an address; asked about for the words that say why.
	badRow          // The text says why the row has no address. Nobody is asked.
	kinds
)

// domainText is what the text's lane goes by: its domain, "" for what has none.
func (k kind) domainText(text []byte) []byte {
	if k != anAddress {
		return nil
	}
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] == '@' {
			return text[i+1:]
		}
	}
	return nil
}

// A domain is where the questions of one domain stand in the file of questions.
type domain struct {
	offset    uint64
	questions uint32
	rows      uint32
}

// The sizes of fixed records, in bytes.
const (
	domainSize = 16
	copySize   = 16
)

// maxQuestion bounds an encoded question, in bytes.
const maxQuestion = 3*binary.MaxVarintLen64 + maxAsked + 1

// maxAsked is the longest text that is asked about as it is; more cannot be an address.
const maxAsked = 1500

func (q *question) append(dst []byte) []byte {
	dst = append(dst, byte(q.kind))
	dst = wire.AppendUint(dst, q.row)
	dst = wire.AppendUint(dst, uint64(q.rows))
	return wire.AppendText(dst, q.text)
}

// errDamaged is wrapped by errors about a job's derived files.
var errDamaged = errors.New("bulk: the job's order is damaged")

// readQuestion reads what append appended. Rows go up to lastRow.
func readQuestion(r *wire.Reader, lastRow uint64) question {
	q := question{kind: kind(r.Byte()), row: r.UpTo(lastRow), rows: uint32(r.UpTo(math.MaxUint32)), text: r.Text()} //nolint:gosec // G115: bounded.
	if q.kind >= kinds || q.row == 0 || q.rows == 0 {
		r.Fail()
	}
	return q
}

func (d domain) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, d.offset)
	dst = binary.BigEndian.AppendUint32(dst, d.questions)
	return binary.BigEndian.AppendUint32(dst, d.rows)
}

func readDomain(b []byte) domain {
	return domain{binary.BigEndian.Uint64(b), binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])}
}
