package bulk

// shares divides the window over the jobs that have rows to ask about: among applications by their weight, and among an
// application's jobs equally. It is guarded by Jobs.mu.
type shares struct {
	hungry map[*job]struct{}
}

// set notes whether a job has rows to ask about now, and reports whether that is new.
func (s *shares) set(j *job, hungry bool) bool {
	if s.hungry == nil {
		s.hungry = map[*job]struct{}{}
	}
	_, was := s.hungry[j]
	switch {
	case was == hungry:
		return false
	case hungry:
		s.hungry[j] = struct{}{}
	default:
		delete(s.hungry, j)
	}
	return true
}

// minShare is what a job has that is not hungry, for its next rows.
const minShare = 8

// divide gives each hungry job its share of the window: one row at least, so that it goes on however many there are.
func (s *shares) divide(window int) {
	type group struct{ weight, jobs int }
	apps := map[string]group{}
	total := 0
	for j := range s.hungry {
		g := apps[j.spec.App]
		if g.jobs == 0 {
			g.weight = max(1, j.spec.Weight)
			total += g.weight
		}
		g.jobs++
		apps[j.spec.App] = g
	}
	for j := range s.hungry {
		g := apps[j.spec.App]
		j.window.Store(int64(max(1, window*g.weight/total/g.jobs)))
	}
}

// setHungry notes whether a job has rows to ask about now.
func (js *Jobs) setHungry(j *job, hungry bool) {
	js.mu.Lock()
	defer js.mu.Unlock()
	if !js.shares.set(j, hungry) {
		return
	}
	j.window.Store(minShare)
	js.shares.divide(js.settings.Load().Window)
	for other := range js.shares.hungry {
		if other != j {
			other.poke()
		}
	}
}
