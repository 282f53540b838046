package mailworld

import (
	"net/netip"
	"sync"
	"time"
)

// clients is what a host knows about those who connect to it.
type clients struct {
	mu       sync.Mutex
	byAddr   map[netip.Addr]*client
	networks map[netip.Prefix]*harvested
}

// A client is one address.
type client struct {
	open       int
	sessions   recent
	recipients recent
}

// recent is a list of moments, oldest first, that forgets what is older than asked for.
type recent struct{ at []time.Time }

// add notes now, and returns how many moments there were since now-per, this one included.
func (r *recent) add(now time.Time, per time.Duration) int {
	n := r.since(now, per)
	r.at = append(r.at, now)
	return n + 1
}

func (r *recent) since(now time.Time, per time.Duration) int {
	i := 0
	for i < len(r.at) && now.Sub(r.at[i]) >= per {
		i++
	}
	r.at = r.at[i:]
	return len(r.at)
}

// ofLocked returns the record of a, made if needed.
func (c *clients) ofLocked(a netip.Addr) *client {
	if c.byAddr == nil {
		c.byAddr = make(map[netip.Addr]*client)
	}
	cl := c.byAddr[a]
	if cl == nil {
		cl = new(client)
		c.byAddr[a] = cl
	}
	return cl
}

// begin counts a session in, and returns the reply to greet it with if it is one too many. end must follow in any case.
func (c *clients) begin(a netip.Addr, l *Limits, now time.Time) Reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	cl := c.ofLocked(a)
	cl.open++
	if r := l.SessionRate; r.N > 0 && cl.sessions.add(now, r.Per) > r.N {
		return r.Reply.or(Say(421, "4.7.0 {host} Error: too many connections from [{ip}] in a short time, try again later"))
	}
	if l.Sessions.passed(cl.open) {
		return l.Sessions.Reply.or(Say(421, "4.7.0 {host} Error: too many concurrent connections from [{ip}]"))
	}
	return Reply{}
}

func (c *clients) end(a netip.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byAddr[a].open--
}

// recipient counts a RCPT, and returns the reply if it is one too many.
func (c *clients) recipient(a netip.Addr, r Rate, now time.Time) Reply {
	if r.N == 0 {
		return Reply{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ofLocked(a).recipients.add(now, r.Per) <= r.N {
		return Reply{}
	}
	return r.Reply.or(Say(450, "4.7.1 <{rcpt}>: Recipient address rejected: too many recipients from [{ip}], slow down"))
}
