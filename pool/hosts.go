package pool

import "time"

// A defect is something that a mail host offers and does not do.
type defect uint8

const (
	brokenTLS        defect = iota // STARTTLS fails; Postfix and KumoMTA do not try again on the spot either.
	brokenPipelining               // Commands that come together are not all answered.
	defects
)

// remembered is how long a defect is taken for granted.
var remembered = [defects]time.Duration{brokenTLS: 3 * 24 * time.Hour, brokenPipelining: 7 * 24 * time.Hour}

// A hostRecord is until when each defect of a host is taken for granted.
type hostRecord [defects]time.Time

// known reports whether host has the defect.
func (p *Pool) known(host string, d defect) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.hosts[host][d])
}

// learn notes that host has the defect.
func (p *Pool) learn(host string, d defect) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.learnLocked(host, d)
}

// learnLocked is learn under Pool.mu. It also forgets what is too old to matter.
func (p *Pool) learnLocked(host string, d defect) {
	now := time.Now()
	for name, r := range p.hosts {
		if now.After(r[brokenTLS]) && now.After(r[brokenPipelining]) {
			delete(p.hosts, name)
		}
	}
	r := p.hosts[host]
	r[d] = now.Add(remembered[d])
	p.hosts[host] = r
}
