package table

import (
	"strings"

	"github.com/verimails/verimaild/verify/verdict"
)

// A vendor is the columns that a shape puts behind the input's own. docs/bulk-formats.md says where they come from, and
// has the tables below for people.
type vendor struct {
	email string // What the column of the addresses is called if the input doesn't say.
	names []string
	cells func(cells []string, row *Row, o *Outcome) []string
}

func vendorOf(s Shape) vendor {
	switch s {
	case ShapeKickbox:
		return vendor{"email", kickboxNames(), kickboxCells}
	case ShapeZeroBounce:
		return vendor{"Email Address", zeroBounceNames(), zeroBounceCells}
	case ShapeNeverBounce:
		return vendor{"email", neverBounceNames(), neverBounceCells}
	default:
		return vendor{"email", resultNames(), resultCells}
	}
}

// A term is what another service says for one of our reasons.
type term struct{ status, detail string }

// blank appends n empty cells: the answer that is not there yet.
func blank(cells []string, n int) []string { return append(cells, make([]string, n)...) }

// flagText is a flag for those who know only two values: what is not determined is not claimed.
func flagText(t verdict.Tri, yes, no string) string {
	if t == verdict.True {
		return yes
	}
	return no
}

// splitAddress is the parts of an address around its last at sign.
func splitAddress(address string) (local, domain string) {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return address, ""
	}
	return address[:i], address[i+1:]
}

// acceptsAll reports whether the answer stands for a server that accepts every recipient.
func acceptsAll(o *Outcome) bool {
	return o.Flags.CatchAll == verdict.True || o.Reason == verdict.AcceptedCatchAll || o.Reason == verdict.ProviderUnverifiable
}

// hasMailHost says whether the domain has a mail host, as far as the answer tells.
func hasMailHost(o *Outcome) verdict.Tri {
	switch o.Reason {
	case verdict.DomainNotFound, verdict.NoMailHost, verdict.NullMX:
		return verdict.False
	case verdict.MXUnroutable:
		return verdict.True
	}
	if o.MX != "" {
		return verdict.True
	}
	return verdict.Undetermined
}
