package daemon

import (
	"github.com/verimails/verimaild/daemon/ledger"
)

// buildLedger makes what takes reports of real mail. Without memory there is nothing to correct, and no ledger. What it
// has counted is written as it answers, and once more at the stop.
func (d *Daemon) buildLedger() error {
	if d.cache == nil {
		return nil
	}
	l, err := ledger.New(ledger.Options{
		Cache: d.cache, Stores: d.stores, Remembered: d.verifier.Remembered, Replies: d.replies.Load, Logger: d.log.Named("feedback"),
	})
	if err != nil {
		return err
	}
	d.ledger = l
	d.later("feedback", l.Flush)
	return nil
}
