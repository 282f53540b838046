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
	outcomes *store.Records[Outcome]
	waits    *store.Records[wait]
}

func newRecords(s *store.Store) (*records, error) {
	r := &records{store: s}
	var errs [4]error
	r.jobs, errs[0] = store.NewRecords(s, "job/record/", store.Codec[record]{Encode: encodeRecord, Decode: decodeRecord})
	r.counts, errs[1] = store.NewRecords(s, "job/count/", store.Codec[Counts]{Encode: encodeCounts, Decode: decodeCounts})
	r.outcomes, errs[2] = store.NewRecords(s, "job/outcome/", store.Codec[Outcome]{Encode: encodeOutcome, Decode: decodeOutcome})
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
	maxChanges    = 1900 // Writes, but for that of the counts.
	maxBatchBytes = 700 << 10
)

// A batch is some changes and the counts after them: all of it is written, or nothing.
type batch struct {
	writes  store.Batch
	changes []change
	counts  Counts
}

// newBatch takes changes off pending, as many as fit, and counts them.
func (r *records) newBatch(id string, pending []change, counts *Counts) (b *batch, rest []change) {
	b = &batch{}
	size := 0
	for len(b.changes) < len(pending) && b.writes.Len() < maxChanges && size < maxBatchBytes {
		c := &pending[len(b.changes)]
		size += r.add(&b.writes, id, c, counts)
		b.changes = pending[:len(b.changes)+1]
	}
	r.counts.PutIn(&b.writes, []byte(id), *counts, 0)
	b.counts = counts.clone()
	return b, pending[len(b.changes):]
}

// add adds one change, and says roughly how many bytes it takes.
func (r *records) add(b *store.Batch, id string, c *change, counts *Counts) int {
	size := 300 + len(c.outcome.Text) + len(c.outcome.Explanation)
	if c.drop != nil {
		r.waits.DeleteIn(b, waitKey(id, c.drop.due, c.question.row))
		counts.Waiting -= int64(c.question.rows)
	}
	if c.wait != nil {
		r.waits.PutIn(b, waitKey(id, c.wait.due, c.question.row), *c.wait, 0)
		counts.Waiting += int64(c.question.rows)
		return size + len(c.question.text)
	}
	r.outcomes.PutIn(b, rowKey(id, c.question.row), c.outcome, 0)
	counts.add(&c.question, &c.outcome)
	return size
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
