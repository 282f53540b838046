package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/daemon/bulk"
)

// eventsEvery is how often a stream of events tells of a job at most.
const eventsEvery = 500 * time.Millisecond

// jobEvents is GET /v1/jobs/{id}/events: server-sent events. Each has the whole job as its data; the last one is called
// end, or stopping if the daemon stops. A client that comes again is told how things stand, so no event has an id.
func (s *Server) jobEvents(c *call) error {
	jobs, err := s.jobs()
	if err != nil {
		return err
	}
	id, err := c.segment("id")
	if err != nil {
		return err
	}
	if _, err := jobs.Get(c.sees(), id); err != nil {
		return failJob(nil, err)
	}
	conn := http.NewResponseController(c.w)
	out := &streamWriter{c: c, conn: conn, mediaType: "text/event-stream"}
	c.w.Header().Set("Cache-Control", "no-store")
	if c.r.Method == http.MethodHead {
		out.begin()
		return nil
	}
	var last bulk.Info
	err = jobs.Watch(c.r.Context(), c.sees(), id, eventsEvery, func(i bulk.Info) error {
		last = i
		name := "progress"
		if i.State.Ended() {
			name = "end"
		}
		return sendEvent(out, name, &i)
	})
	switch {
	case errors.Is(err, bulk.ErrStopping):
		return sendEvent(out, "stopping", &last)
	case errors.Is(err, context.Canceled):
		return fail(apitype.CodeClientClosed, "The client went away.")
	}
	return err
}

// sendEvent sends one event, now.
func sendEvent(out *streamWriter, name string, i *bulk.Info) error {
	data, err := json.Marshal(wireJob(i))
	if err != nil {
		return err
	}
	event := append([]byte("event: "+name+"\ndata: "), data...)
	if _, err := out.Write(append(event, "\n\n"...)); err != nil {
		return err
	}
	return out.conn.Flush()
}
