package bulk

// A fifo is a queue of lanes.
type fifo struct {
	lanes []*lane // A ring.
	head  int
	n     int
}

func (f *fifo) len() int { return f.n }

func (f *fifo) push(l *lane) {
	f.grow()
	f.lanes[(f.head+f.n)%len(f.lanes)] = l
	f.n++
}

func (f *fifo) pushFront(l *lane) {
	f.grow()
	f.head = (f.head + len(f.lanes) - 1) % len(f.lanes)
	f.lanes[f.head] = l
	f.n++
}

// pop takes the head; nil if there is none.
func (f *fifo) pop() *lane {
	if f.n == 0 {
		return nil
	}
	l := f.lanes[f.head]
	f.lanes[f.head] = nil
	f.head = (f.head + 1) % len(f.lanes)
	f.n--
	return l
}

func (f *fifo) grow() {
	if f.n < len(f.lanes) {
		return
	}
	lanes := make([]*lane, max(16, 2*len(f.lanes)))
	for i := range f.n {
		lanes[i] = f.lanes[(f.head+i)%len(f.lanes)]
	}
	f.lanes, f.head = lanes, 0
}
