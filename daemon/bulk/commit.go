package bulk

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/internal/store"
)

// records are the record sets of jobs in the state store.
type records struct {
	store    *store.Store
	jobs     *store.Records[record]
	counts   *store.Records[Counts]
	outcomes *store.Records[block]
	waits    *store.Records[wait]
}

func newRecords(s *store.Store) (*records, error) {
	r := &records{store: s}
	var errs [4]error
	r.jobs, errs[0] = store.NewRecords(s, "job/record/", store.Codec[record]{Encode: encodeRecord, Decode: decodeRecord})
	r.counts, errs[1] = store.NewRecords(s, "job/count/", store.Codec[Counts]{Encode: encodeCounts, Decode: decodeCounts})
	r.outcomes, errs[2] = store.NewRecords(s, "job/outcome/", store.Codec[block]{Encode: encodeBlock, Decode: decodeBlock})
	r.waits, errs[3] = store.NewRecords(s, "job/wait/", store.Codec[wait]{Encode: encodeWait, Decode: decodeWait})
	return r, errors.Join(errs[:]...)
}

// A change is what came of one question, on its way to the store.
type change struct {
	question question
	outcome  Outcome
	wait     *wait // Put off; nil if the outcome is final.
	drop     *wait // It had waited.
}

// Bounds of one commit, well within those of the store.
const (
	maxChanges    = 2000
	maxWrites     = 1900
	maxBatchBytes = 400 << 10 // Beside the block.
)

// A batch is some changes and the counts after them: all of it is written, or nothing.
type batch struct {
	writes  store.Batch
	changes []change
	block   bool // It has a block of outcomes.
	counts  Counts
}

// newBatch takes changes off pending, as many as fit, and counts them. Its outcomes become the block of that number.
func (r *records) newBatch(id string, number uint64, pending []change, counts *Counts) (b *batch, rest []change) {
	b = &batch{}
	var outcomes block
	size, blockSize := 0, 0
	for len(b.changes) < min(len(pending), maxChanges) && b.writes.Len() < maxWrites && size < maxBatchBytes && blockSize < maxBlock {
		c := &pending[len(b.changes)]
		if c.drop != nil {
			r.waits.DeleteIn(&b.writes, waitKey(id, c.drop.due, c.question.row))
			counts.Waiting -= int64(c.question.rows)
		}
		if c.wait != nil {
			r.waits.PutIn(&b.writes, waitKey(id, c.wait.due, c.question.row), *c.wait, 0)
			counts.Waiting += int64(c.question.rows)
			size += 300 + len(c.outcome.Text) + len(c.outcome.Explanation) + len(c.outcome.DidYouMean) + len(c.question.text)
		} else {
			p := packed{c.question.row, encodeOutcome(nil, c.outcome)}
			outcomes.rows = append(outcomes.rows, p)
			counts.add(&c.question, &c.outcome)
			blockSize += len(p.outcome) + 10
		}
		b.changes = pending[:len(b.changes)+1]
	}
	if b.block = len(outcomes.rows) > 0; b.block {
		r.outcomes.PutIn(&b.writes, blockKey(id, number), outcomes, 0)
	}
	r.counts.PutIn(&b.writes, []byte(id), *counts, 0)
	b.counts = counts.clone()
	return b, pending[len(b.changes):]
}

// A committer writes batches one after another, and does not give up before it is told to.
type committer struct {
	store *store.Store
	log   *zap.Logger
	in    chan *batch // One at a time.
	out   chan *batch // Written.
	quit  chan struct{}
	wg    sync.WaitGroup
	stuck func(error) // Told why a batch cannot be written, and nil once it is.
}

// commitRetry is how long a committer waits before it tries again what could not be written.
const commitRetry = 2 * time.Second

func newCommitter(s *store.Store, log *zap.Logger, stuck func(error)) *committer {
	return &committer{store: s, log: log, in: make(chan *batch), out: make(chan *batch, 1), quit: make(chan struct{}), stuck: stuck}
}

func (c *committer) start(ctx context.Context) { c.wg.Go(func() { c.loop(ctx) }) }

// stop ends the committer. A batch that cannot be written is given up.
func (c *committer) stop() {
	close(c.quit)
	close(c.in)
	c.wg.Wait()
}

func (c *committer) loop(ctx context.Context) {
	for b := range c.in {
		if !c.write(ctx, b) {
			return
		}
		c.out <- b
	}
}

// write writes one batch; false means that it was given up.
func (c *committer) write(ctx context.Context, b *batch) bool {
	failed := false
	for {
		err := c.store.Commit(ctx, &b.writes)
		if err == nil {
			if failed {
				c.stuck(nil)
			}
			return true
		}
		if !failed {
			c.log.Warn("outcomes cannot be written; trying again", zap.Error(err))
			c.stuck(err)
			failed = true
		}
		timer := time.NewTimer(commitRetry)
		select {
		case <-timer.C:
		case <-c.quit:
			timer.Stop()
			return false
		}
	}
}
