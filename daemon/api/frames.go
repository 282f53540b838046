package api

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify/verdict"
)

// frames keeps the JSON of remembered answers that are asked for again and again: encoding one takes longer than all
// else that is ours in a reply. It decides nothing. Who is asked for an answer is the verifier, each time; a frame
// serves only if the answer is, field by field, the one that it was made from.
//
// It holds a frame from the second time on that an address is asked for, so that a long list, asked once, costs nothing.
type frames struct {
	mu    sync.Mutex
	lru   *simplelru.LRU[string, *framed] // By normalised address; guarded by mu, as is all below.
	bytes int
	seed  maphash.Seed
	seen  [4096]uint32 // Hashes of addresses that were asked for once.
}

// A framed is an answer and its JSON.
type framed struct {
	answer verdict.Answer // Without Email and Took.
	frame  *apitype.Frame
}

// size is about how many bytes f takes. What its answer points at is shared with memory, or was.
func (f *framed) size() int { return f.frame.Size() + 1024 }

const (
	maxFrames     = 8192     // Frames held.
	maxFrameBytes = 16 << 20 // What they may take together,
	maxFrameSize  = 32 << 10 // and one of them.
)

func newFrames() *frames {
	f := &frames{seed: maphash.MakeSeed()}
	lru, err := simplelru.NewLRU(maxFrames, func(_ string, old *framed) { f.bytes -= old.size() })
	if err != nil {
		panic("api: " + err.Error()) // Only for a size below 1.
	}
	f.lru = lru
	return f
}

// find returns the frame of a. If there is none, worth says whether to make one and keep it. An answer with a time to ask
// again has none: that time is counted from now. Nor has one with its trace, which tells of now.
func (f *frames) find(a *verdict.Answer) (frame *apitype.Frame, worth bool) {
	if !a.Cached || !a.RetryAt.IsZero() || a.Trace != nil {
		return nil, false
	}
	f.mu.Lock()
	kept, ok := f.lru.Get(a.Normalized)
	if !ok {
		worth = f.asked(a.Normalized)
	}
	f.mu.Unlock()
	if ok && sameAnswer(&kept.answer, a) { // Neither changes.
		return kept.frame, false
	}
	return nil, ok || worth
}

// asked notes that an address was asked for, and reports whether it was before. The caller holds f.mu.
func (f *frames) asked(email string) bool {
	hash := uint32(maphash.String(f.seed, email)) //nolint:gosec // G115: any half will do.
	slot := &f.seen[hash%uint32(len(f.seen))]
	before := *slot == hash
	*slot = hash
	return before
}

// keep holds a's frame, in place of what is held for the same address.
func (f *frames) keep(a *verdict.Answer, frame *apitype.Frame) {
	kept := &framed{answer: *a, frame: frame}
	if kept.size() > maxFrameSize {
		return
	}
	kept.answer.Email, kept.answer.Took = "", 0
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lru.Remove(a.Normalized) // Add would replace the value without telling the eviction callback.
	f.lru.Add(a.Normalized, kept)
	f.bytes += kept.size()
	for f.bytes > maxFrameBytes {
		f.lru.RemoveOldest()
	}
}

// forget drops the frame of an address, or all of them for "".
func (f *frames) forget(email string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if email == "" {
		f.lru.Purge()
		return
	}
	f.lru.Remove(email)
}

// sameAnswer reports whether two answers differ in nothing but Email and Took. Evidence is the same if it is the same
// memory: what is remembered is never changed.
func sameAnswer(a, b *verdict.Answer) bool {
	return a.Normalized == b.Normalized && a.Reason == b.Reason && a.Explanation == b.Explanation && a.Flags == b.Flags &&
		a.DidYouMean == b.DidYouMean && a.Provider == b.Provider && a.Domain == b.Domain &&
		slices.Equal(a.MX, b.MX) && sameSlice(a.Evidence, b.Evidence) && a.Cached == b.Cached &&
		a.CheckedAt.Equal(b.CheckedAt) && a.ExpiresAt.Equal(b.ExpiresAt) && a.RetryAt.Equal(b.RetryAt) &&
		a.AcceptAll == b.AcceptAll && a.Stage == b.Stage && a.ProviderMode == b.ProviderMode && a.ModeNote == b.ModeNote && a.Trace == b.Trace
}

func sameSlice[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
