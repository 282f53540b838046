package pool

import (
	"fmt"

	"github.com/verimails/verimaild/internal/store"
)

// A State is where a pool keeps what was spent, learned and refused, so that a restart neither forgives nor forgets.
// There is one for a store, whichever pools use it.
type State struct {
	store     *store.Store
	sites     *store.Records[record] // By site key.
	providers *store.Records[record] // By provider id.
}

// NewState makes the record sets of pools in s, which should be the durable one. It fails if s has them already.
func NewState(s *store.Store) (*State, error) {
	st := &State{store: s}
	var err error
	codec := store.Codec[record]{Encode: appendRecord, Decode: readRecord}
	if st.sites, err = store.NewRecords(s, "pool/s/", codec); err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	if st.providers, err = store.NewRecords(s, "pool/v/", codec); err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	return st, nil
}
