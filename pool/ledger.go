package pool

import (
	"fmt"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool/warmup"
)

// A ledger is where a pool keeps what was spent, learned and refused, so that a restart neither forgives nor forgets.
type ledger struct {
	store     *store.Store
	sites     *store.Records[record]        // By site key.
	providers *store.Records[record]        // By provider id.
	sources   *store.Records[warmup.Record] // By name.
	sender    *store.Records[senderRecord]  // One.
}

// newLedger makes the record sets of a pool in s. It fails if another pool has s.
func newLedger(s *store.Store) (*ledger, error) {
	st := &ledger{store: s}
	var err error
	codec := store.Codec[record]{Encode: appendRecord, Decode: readRecord}
	if st.sites, err = store.NewRecords(s, "pool/s/", codec); err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	if st.providers, err = store.NewRecords(s, "pool/v/", codec); err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	sources := store.Codec[warmup.Record]{
		Encode: func(dst []byte, r warmup.Record) []byte { return r.Append(dst) }, Decode: warmup.Decode,
	}
	if st.sources, err = store.NewRecords(s, "pool/w/", sources); err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	sender := store.Codec[senderRecord]{Encode: appendSender, Decode: readSender}
	if st.sender, err = store.NewRecords(s, "pool/r/", sender); err != nil {
		return nil, fmt.Errorf("pool: %w", err)
	}
	return st, nil
}
