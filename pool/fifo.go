package pool

import "slices"

// A fifo is a queue in a slice. The zero fifo is empty.
type fifo[T any] struct {
	buf  []T
	head int
}

func (q *fifo[T]) len() int { return len(q.buf) - q.head }

// all is what is in the queue, oldest first; it holds until the queue changes.
func (q *fifo[T]) all() []T { return q.buf[q.head:] }

func (q *fifo[T]) push(v T) { q.buf = append(q.buf, v) }

// front is the oldest element; the queue must not be empty.
func (q *fifo[T]) front() T { return q.buf[q.head] }

// pop removes the oldest element; the queue must not be empty.
func (q *fifo[T]) pop() T {
	v := q.buf[q.head]
	var zero T
	q.buf[q.head] = zero // Let the collector have it.
	q.head++
	switch {
	case q.head == len(q.buf):
		q.buf, q.head = q.buf[:0], 0
	case q.head > 32 && q.head*2 > len(q.buf):
		n := copy(q.buf, q.buf[q.head:])
		clear(q.buf[n:])
		q.buf, q.head = q.buf[:n], 0
	}
	return v
}

// pushFront puts v before the oldest element.
func (q *fifo[T]) pushFront(v T) {
	if q.head == 0 {
		gap := 8 + len(q.buf) // Room for more of them.
		grown := make([]T, gap+len(q.buf), gap+2*len(q.buf)+1)
		copy(grown[gap:], q.buf)
		q.buf, q.head = grown, gap
	}
	q.head--
	q.buf[q.head] = v
}

// remove takes out the element that is at i in all.
func (q *fifo[T]) remove(i int) T {
	if i == 0 {
		return q.pop()
	}
	v := q.buf[q.head+i]
	q.buf = slices.Delete(q.buf, q.head+i, q.head+i+1)
	return v
}
