package mailworld

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// A greyKey is what a greylist remembers: client network, sender and recipient, as postgrey does.
type greyKey struct {
	network      netip.Prefix
	sender, path string
}

func (s *session) greyKey(path string) greyKey {
	ip := s.source.Addr()
	bits := 64
	if ip.Is4() {
		bits = 24
	}
	p, _ := ip.Prefix(bits) // bits is in range.
	return greyKey{p, strings.ToLower(s.tx.sender), strings.ToLower(path)}
}

// tooEarly notes an attempt, and reports whether less than delay has passed since the first.
func (r *record) tooEarly(k greyKey, delay time.Duration, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	first, ok := r.greylist[k]
	if !ok {
		r.greylist[k] = now
		return true
	}
	return now.Sub(first) < delay
}

// greylisted is the reply that puts a recipient off.
func greylisted(delay time.Duration) Reply {
	return Say(450, fmt.Sprintf("4.2.0 <{rcpt}>: Recipient address rejected: Greylisted for %d seconds", int(delay.Seconds())))
}
