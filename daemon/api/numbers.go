package api

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/verify/verdict"
)

// A Total is how many answers an application got for one reason, since the start.
type Total struct {
	App    string
	Reason verdict.Reason
	Cached bool
	Count  uint64
}

// Totals are all answers since the start, by application and reason.
func (a *Accounts) Totals() []Total {
	var out []Total
	for _, acc := range a.all() {
		acc.mu.Lock()
		for t, n := range acc.totals {
			out = append(out, Total{acc.name, t.reason, t.cached, n})
		}
		acc.mu.Unlock()
	}
	slices.SortFunc(out, func(x, y Total) int { return cmp.Or(cmp.Compare(x.App, y.App), cmp.Compare(x.Reason, y.Reason)) })
	return out
}

// A Standing is how an application stands with its quotas now.
type Standing struct {
	App     string
	Asking  int    // Addresses that are asked about now; counted only where there are quotas.
	Refused uint64 // Addresses that a quota refused, since the start.
	Quotas  []apitype.Quota
}

// Standing is how each application that is configured stands.
func (a *Accounts) Standing() []Standing {
	t, now := a.table.Load(), a.now()
	out := make([]Standing, 0, len(t.byName))
	for _, m := range t.byName {
		s := Standing{App: m.Name, Quotas: m.quotas(now)}
		m.mu.Lock()
		s.Asking, s.Refused = m.asking, m.refused
		m.mu.Unlock()
		out = append(out, s)
	}
	slices.SortFunc(out, func(x, y Standing) int { return cmp.Compare(x.App, y.App) })
	return out
}

// statusClasses are the classes of statuses: 1xx to 5xx.
const statusClasses = 5

// A tally counts the replies of one route by class of status.
type tally [statusClasses]atomic.Uint64

// add counts a reply; status 0 is one that was never sent.
func (t *tally) add(status int) {
	if i := status/100 - 1; i >= 0 && i < statusClasses {
		t[i].Add(1)
	}
}

// A RouteCount is how many replies of one route had a status of one class.
type RouteCount struct {
	Route  string // Such as "GET /v1/verify"; "other" for what is no route.
	Status string // Such as "2xx".
	Count  uint64
}

// Requests counts replies since the start.
func (s *Server) Requests() []RouteCount {
	var out []RouteCount
	for name, t := range s.tallies {
		if name == elsewhere {
			name = "other"
		}
		for i := range t {
			if n := t[i].Load(); n > 0 {
				out = append(out, RouteCount{name, fmt.Sprintf("%dxx", i+1), n})
			}
		}
	}
	slices.SortFunc(out, func(x, y RouteCount) int {
		return cmp.Or(cmp.Compare(x.Route, y.Route), cmp.Compare(x.Status, y.Status))
	})
	return out
}

// ServerStats is a picture of the socket.
type ServerStats struct {
	Connections        int
	ConnectionsRefused int64 // Since the start, because their user had too many.
	Streams            int
	Spooled            int64 // Bytes that streams have read ahead of their answers.
}

// Stats takes a picture.
func (s *Server) Stats() ServerStats {
	return ServerStats{
		Connections: s.crowd.size(), ConnectionsRefused: s.crowd.refused.Load(),
		Streams: int(s.streams.Load()), Spooled: s.spooled.Load(),
	}
}

// metrics is GET /metrics.
func (s *Server) metrics(c *call) error {
	if s.opts.Metrics == nil {
		return fail(apitype.CodeNotFound, "This daemon counts nothing.")
	}
	if err := c.noQuery(); err != nil {
		return err
	}
	c.w.Header().Set("X-Request-Id", c.id)
	c.status = http.StatusOK
	c.extend()
	s.opts.Metrics.ServeHTTP(c.w, c.r)
	return nil
}
