package pool

// apps is how clean the lists of each application are, by name. An application whose addresses are mostly dead uses up
// what everyone shares, the refusals that a receiver tolerates: it has fewer turns. Guarded by Pool.mu.
type apps map[string]*app

// An app is what the pool knows of an application.
type app struct {
	dead  float64 // The share of its targets that were dead, decaying.
	asked int64
}

const (
	deadCost = 3    // What a dead recipient costs more than a live one.
	memory   = 50.0 // Probes over which the share of an application's dead decays.
	mostApps = 1000 // Above this many the table starts afresh.
)

// share is the weight of req's application over what one of its probes is likely to cost.
func (as apps) share(req *Request) float64 {
	weight := float64(max(1, req.Weight))
	if a := as[req.App]; a != nil {
		return weight / (1 + deadCost*a.dead)
	}
	return weight
}

// note counts an answer to an application's target.
func (as apps) note(name string, dead bool) {
	a := as[name]
	if a == nil {
		if len(as) >= mostApps {
			clear(as)
		}
		a = &app{}
		as[name] = a
	}
	a.asked++
	v := 0.0
	if dead {
		v = 1
	}
	a.dead += (v - a.dead) / min(memory, float64(a.asked))
}
