package pool

import (
	"container/heap"
	"context"
	"time"
)

// A waker looks again at the paths whose limits let nothing through, when the time has come. It has one goroutine,
// which Start starts and the pool's context ends. Its fields are guarded by Pool.mu.
type waker struct {
	paths wakeHeap
	reset chan struct{} // Holds one token: there is an earlier time to wake up at.
}

// wakeAt has pa advanced at the instant at, or earlier if that was asked for before.
func (p *Pool) wakeAt(pa *path, at time.Duration) {
	switch {
	case pa.waking == 0:
		pa.wake = at
		heap.Push(&p.waker.paths, pa)
	case at < pa.wake:
		pa.wake = at
		heap.Fix(&p.waker.paths, pa.waking-1)
	default:
		return
	}
	if p.waker.paths[0] == pa {
		select {
		case p.waker.reset <- struct{}{}:
		default:
		}
	}
}

// dontWake forgets that pa was to be woken.
func (p *Pool) dontWake(pa *path) {
	if pa.waking > 0 {
		heap.Remove(&p.waker.paths, pa.waking-1)
	}
}

// wakeUp is the waker's goroutine.
func (p *Pool) wakeUp(ctx context.Context) {
	timer := time.NewTimer(forever)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-p.waker.reset:
		case <-ctx.Done():
			return
		}
		p.mu.Lock()
		timer.Reset(p.wakeDue())
		p.mu.Unlock()
	}
}

// wakeDue advances the paths whose time has come, each once, and says how long it is until the next one's.
func (p *Pool) wakeDue() time.Duration {
	now := p.now()
	var due []*path
	for len(p.waker.paths) > 0 && p.waker.paths[0].wake <= now {
		pa := p.waker.paths[0]
		p.dontWake(pa)
		due = append(due, pa)
	}
	for _, pa := range due {
		pa.advance()
		pa.forget()
	}
	if len(p.waker.paths) == 0 {
		return forever
	}
	return max(p.waker.paths[0].wake-p.now(), leastWait)
}

// A wakeHeap orders paths by when they are to be woken; path.waking is the place of one, plus one.
type wakeHeap []*path

func (h wakeHeap) Len() int           { return len(h) }
func (h wakeHeap) Less(i, j int) bool { return h[i].wake < h[j].wake }
func (h wakeHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].waking, h[j].waking = i+1, j+1
}

// Push is for package heap.
func (h *wakeHeap) Push(x any) {
	pa := x.(*path)
	*h = append(*h, pa)
	pa.waking = len(*h)
}

// Pop is for package heap.
func (h *wakeHeap) Pop() any {
	last := len(*h) - 1
	pa := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	pa.waking = 0
	return pa
}
