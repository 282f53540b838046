package pool

import (
	"maps"
	"time"
)

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

// learnLocked is learn under Pool.mu.
func (p *Pool) learnLocked(host string, d defect) {
	now := time.Now()
	if len(p.hosts) > p.sweepAt {
		maps.DeleteFunc(p.hosts, func(_ string, r hostRecord) bool {
			return now.After(r[brokenTLS]) && now.After(r[brokenPipelining])
		})
		p.sweepAt = 2*len(p.hosts) + 100 // So each sweep is paid for by as many hosts as it looks at.
	}
	r := p.hosts[host]
	r[d] = now.Add(remembered[d])
	p.hosts[host] = r
}
