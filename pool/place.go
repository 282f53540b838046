package pool

// place reserves a place for a new session of la under the limits of the source and of the pool, all or none.
// Where they are reached, the session that has lingered for the longest has to go, and the path waits for a place.
func (p *Pool) place(la *lane) bool {
	pa := la.path
	src := pa.source
	sourceFull := p.sourceFull(src)
	if !sourceFull && !p.full() {
		src.sessions++
		p.sessions++
		pa.open++
		la.open++
		la.busy++
		pa.moveToEnd(la)
		return true
	}
	if pa.starved { // A session was told to make room for it already.
		return false
	}
	pa.starved = true
	p.starved.push(pa)
	if !sourceFull {
		src = nil
	}
	if s := p.idle.oldest(src); s != nil {
		s.retire()
	}
	return false
}

func (p *Pool) full() bool { return reached(p.sessions, p.opts.MaxSessions) }

func (p *Pool) sourceFull(src *sourceState) bool {
	return reached(src.sessions, p.opts.SourceLimits.Sessions)
}

// contended reports whether some path waits for a place that a session of src holds.
func (p *Pool) contended(src *sourceState) bool {
	return p.starved.len() > 0 && (p.full() || p.sourceFull(src))
}

// release gives back what place reserved. Who has waited for a place comes before the session's own path.
func (p *Pool) release(s *session) {
	la := s.lane
	pa := la.path
	pa.source.sessions--
	p.sessions--
	pa.open--
	la.open--
	la.busy--
	if s.parting {
		pa.parting--
	}
	if pa.source.sessions < 0 || p.sessions < 0 || pa.open < 0 || la.open < 0 || la.busy < 0 || pa.parting < 0 {
		panic("pool: a session was released twice")
	}
	if p.starved.len() > 0 {
		p.feed()
	}
	pa.advance()
	pa.forget()
}

// feed lets the paths that wait for a place try again, each once. Those that there is no place for keep their turn;
// those that had one and want another go behind them.
func (p *Pool) feed() {
	waiting := p.starved
	p.starved = fifo[*path]{}
	var kept fifo[*path]
	for waiting.len() > 0 {
		pa := waiting.pop()
		if p.full() || p.sourceFull(pa.source) {
			kept.push(pa)
			continue
		}
		pa.starved = false
		pa.advance()
		pa.forget()
	}
	for p.starved.len() > 0 {
		kept.push(p.starved.pop())
	}
	p.starved = kept
}
