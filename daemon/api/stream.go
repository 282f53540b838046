package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/verimails/verimaild/client/apitype"
)

// The limits of a stream. The documentation in docs/api.md has the same numbers.
const (
	// maxLine is the longest line that is taken.
	maxLine = maxBody

	// streamIdle is for how long a client may send nothing.
	streamIdle = 10 * time.Minute

	// streamAsking is how many addresses of one stream are asked about at once, and streamsAsking of all of them
	// together; each may have leastAsking.
	streamAsking, streamsAsking, leastAsking = 1000, 8000, 16

	// maxOut is how much may wait for the client to read it until answering stops.
	maxOut = 1 << 20

	// writePiece is what the client has the send timeout to take: who reads slowly reads all the same.
	writePiece = 32 << 10
)

// A stream is one POST /v1/verify/stream. Three things go on at once:
//
//   - the reader takes lines from the client into the spool, as long as there is room;
//   - workers take lines from the spool and answer them. Only a few run; one whose question has to be asked makes room for
//     the next, so that what is remembered is answered at the speed of the processors, and what is asked waits in numbers;
//   - the handler's own goroutine writes what is answered.
//
// When the client does not read, answering stops at maxOut, and what it sends fills the spool. So a client can send
// everything before it reads, up to the bound of the spool. When that is full too, nothing moves, and once the send
// timeout has passed the stream is cut.
type stream struct {
	c      *call
	conn   *http.ResponseController
	spool  spool
	ctx    context.Context //nolint:containedctx // Of this one request; ends when the client is gone.
	cancel context.CancelCauseFunc
	pace   chan struct{}   // Holds one token: who has it waits for the application's rate.
	drain  <-chan struct{} // Closed when the daemon begins to stop.
	wg     sync.WaitGroup

	stopped atomic.Bool // It was us who ended the reading.

	mu      sync.Mutex // Guards all below.
	room    sync.Cond  // Signalled when out has been taken.
	ready   sync.Cond  // Signalled when there is something in out, or the last worker is gone.
	out     []byte
	spare   []byte // The buffer that out was before.
	read    bool   // The reader is done.
	running int    // Workers that don't wait for an answer.
	asking  int    // Workers that do.
	gone    bool   // Nobody reads any more.
}

// maxRunning is how many workers of one stream run at once.
var maxRunning = max(2, min(4, runtime.GOMAXPROCS(0)))

// verifyStream is POST /v1/verify/stream.
func (s *Server) verifyStream(c *call) error {
	if err := c.noQuery(); err != nil {
		return err
	}
	if err := c.plainBody(); err != nil {
		return err
	}
	s.streams.Add(1)
	defer s.streams.Add(-1)
	st := newStream(c)
	return st.run()
}

func newStream(c *call) *stream {
	st := &stream{c: c, conn: http.NewResponseController(c.w), pace: make(chan struct{}, 1), drain: c.srv.gate.shutting}
	st.ctx, st.cancel = context.WithCancelCause(context.WithoutCancel(c.r.Context()))
	st.room.L, st.ready.L = &st.mu, &st.mu
	st.spool.init(&c.srv.spooled)
	return st
}

// run serves the stream to its end. The reply is there already if it returns an error.
func (st *stream) run() error {
	defer st.cancel(nil)
	if err := st.begin(); err != nil {
		return err
	}
	defer context.AfterFunc(st.c.r.Context(), st.hungUp)()
	st.wg.Go(st.readLines)
	st.wg.Go(st.watchDrain)
	err := st.write()
	if err != nil {
		st.abandon(err)
	}
	st.cancel(nil)
	st.finishReading()
	st.spool.close()
	st.wg.Wait()
	return err
}

// begin sends the header, so that the client can read before it has written. From then on reading and writing go on at
// the same time.
func (st *stream) begin() error {
	_ = st.conn.EnableFullDuplex()           // Not supported only by the recorders of tests.
	_ = st.conn.SetReadDeadline(time.Time{}) // Set for each read.
	st.extend()
	if st.c.r.Header.Get("Expect") != "" {
		st.c.w.WriteHeader(http.StatusContinue) // After the final status it would be too late.
	}
	h := st.c.w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("X-Request-Id", st.c.id)
	st.c.status = http.StatusOK
	st.c.w.WriteHeader(http.StatusOK)
	return st.conn.Flush()
}

// extend gives the client the send timeout anew, for what it reads.
func (st *stream) extend() { _ = st.conn.SetWriteDeadline(time.Now().Add(st.c.srv.sendTimeout)) }

// stopReading ends the reader's wait for more.
func (st *stream) stopReading() {
	st.stopped.Store(true)
	_ = st.conn.SetReadDeadline(time.Now())
}

// finishReading stops a reader that is not done.
func (st *stream) finishReading() {
	st.mu.Lock()
	done := st.read
	st.mu.Unlock()
	if !done {
		st.stopReading()
	}
}

// hungUp is called when the request's context ends: the client is gone, or a stop has run out of patience. net/http also
// ends it when a read fails, be it because we stopped reading.
func (st *stream) hungUp() {
	cause := context.Cause(st.c.r.Context())
	if st.stopped.Load() && !errors.Is(cause, errShuttingDown) {
		return
	}
	st.abandon(cause)
}

// abandon ends all work, because nobody takes its fruit.
func (st *stream) abandon(cause error) {
	st.cancel(cause)
	st.mu.Lock()
	st.gone = true
	st.room.Broadcast()
	st.ready.Broadcast()
	st.mu.Unlock()
	st.spool.close()
	_ = st.conn.SetWriteDeadline(time.Now())
}

// watchDrain stops the reading when the daemon begins to stop. What is spooled is refused then, what is asked is
// finished.
func (st *stream) watchDrain() {
	select {
	case <-st.drain:
		st.stopReading()
	case <-st.ctx.Done():
	}
}

func (st *stream) draining() bool {
	select {
	case <-st.drain:
		return true
	default:
		return false
	}
}

// readLines is the reader.
func (st *stream) readLines() {
	body := &watchedBody{st: st, body: st.c.r.Body}
	body.idle = time.AfterFunc(streamIdle, func() {
		body.idled.Store(true)
		st.stopReading()
	})
	defer body.idle.Stop()
	_ = st.spool.fill(body, st.dispatch) // Whatever ends it, what has come is answered, if somebody is there to read it.
	if body.idled.Load() {
		st.reply(appendFailure(nil, nil, 0, fail(apitype.CodeBodyTimeout, "No line came for %v.", streamIdle)))
	}
	st.mu.Lock()
	st.read = true
	st.ready.Broadcast()
	st.mu.Unlock()
	st.dispatch()
}

// A watchedBody is the request's body; each read shows that the client is still there.
type watchedBody struct {
	st    *stream
	body  io.Reader
	idle  *time.Timer
	idled atomic.Bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.idle.Reset(streamIdle)
	b.st.extend()
	return n, err
}

// mayAsk is how many questions of this stream may be under way.
func (st *stream) mayAsk() int {
	return min(streamAsking, max(leastAsking, streamsAsking/int(max(1, st.c.srv.streams.Load()))))
}

// dispatch starts workers for what is in the spool, as far as there may be more.
func (st *stream) dispatch() {
	st.mu.Lock()
	defer st.mu.Unlock()
	for n := st.spool.lines(); n > 0 && st.running < maxRunning && st.asking+st.running < st.mayAsk() && !st.gone; n-- {
		st.running++
		st.wg.Go(st.work)
	}
}

// work is a worker: it answers lines until there are none, or until others do.
func (st *stream) work() {
	w := worker{st: st}
	for {
		line, number, ok := st.spool.take()
		if !ok {
			break
		}
		w.answer(line, number)
		if st.surplus() {
			return
		}
	}
	st.mu.Lock()
	st.running--
	last := st.running == 0
	if last {
		st.ready.Broadcast() // It may have been the last.
	}
	st.mu.Unlock()
	if last && st.spool.lines() > 0 {
		st.dispatch() // A line came between the last look and now.
	}
}

// beginAsking is called by a worker whose question has to be asked: it lets another one run.
func (st *stream) beginAsking() {
	st.mu.Lock()
	st.running--
	st.asking++
	st.mu.Unlock()
	st.dispatch()
}

// endAsking makes a worker run again. There may be more of them than maxRunning for a moment.
func (st *stream) endAsking() {
	st.mu.Lock()
	st.asking--
	st.running++
	st.mu.Unlock()
}

// surplus reports whether more workers run than should; then one of them, the caller, does so no more.
func (st *stream) surplus() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.running <= maxRunning {
		return false
	}
	st.running--
	return true
}

// reply hands over one line of the reply; it waits while the client does not read.
func (st *stream) reply(line []byte) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for len(st.out) >= maxOut && !st.gone {
		st.room.Wait()
	}
	if st.gone {
		return
	}
	if len(st.out) == 0 {
		st.ready.Signal()
	}
	st.out = append(st.out, line...)
}

// takeOut waits for lines of the reply; none are left if there are none.
func (st *stream) takeOut() (lines []byte) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for len(st.out) == 0 {
		if st.gone || st.read && st.running+st.asking == 0 && st.spool.lines() == 0 {
			return nil
		}
		st.ready.Wait()
	}
	lines = st.out
	st.out, st.spare = st.spare[:0], lines
	st.room.Broadcast()
	return lines
}

// write sends answers until the last, or until the client is gone.
func (st *stream) write() error {
	for {
		lines := st.takeOut()
		if len(lines) == 0 {
			return st.end()
		}
		for len(lines) > 0 {
			st.extend()
			n, err := st.c.w.Write(lines[:min(len(lines), writePiece)])
			if err != nil {
				return failClientGone(err)
			}
			lines = lines[n:]
		}
		if err := st.conn.Flush(); err != nil {
			return failClientGone(err)
		}
	}
}

// end is how the stream has ended: nil if it is whole.
func (st *stream) end() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.gone {
		return failureOf(st.c.r.Context(), context.Cause(st.ctx))
	}
	return nil
}

func failClientGone(cause error) error {
	f := fail(apitype.CodeClientClosed, "The client did not take the reply.")
	f.cause = cause
	return f
}
