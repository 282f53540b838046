package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"sync"

	"github.com/verimails/verimaild/verify/verdict"
)

// A bufferPool lends buffers to replies, so that serving a remembered answer allocates none.
type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) get() *bytes.Buffer {
	if b, ok := p.pool.Get().(*bytes.Buffer); ok {
		return b
	}
	return bytes.NewBuffer(make([]byte, 0, 2048))
}

// put takes b back. A buffer that one long dialogue has blown up is left to the garbage collector.
func (p *bufferPool) put(b *bytes.Buffer) {
	if b.Cap() > 64<<10 {
		return
	}
	b.Reset()
	p.pool.Put(b)
}

// sendAnswer replies with a.
func (c *call) sendAnswer(a *verdict.Answer) {
	b := c.srv.buffers.get()
	defer c.srv.buffers.put(b)
	b.Write(append(c.srv.appendAnswer(b.AvailableBuffer(), a), '\n'))
	c.send(http.StatusOK, b.Bytes())
}

// appendAnswer appends a's JSON to b.
func (s *Server) appendAnswer(b []byte, a *verdict.Answer) []byte {
	frame, worth := s.frames.find(a)
	if frame == nil {
		out := wireAnswer(a)
		out.Trace = s.wireTrace(a)
		if !worth {
			return out.AppendJSON(b)
		}
		frame = out.Frame()
		s.frames.keep(a, frame)
	}
	return frame.AppendJSON(b, a.Email, tookMS(a))
}

// sendJSON replies with v, a small struct of apitype that encoding/json can't fail on.
func (c *call) sendJSON(status int, v any) {
	b := c.srv.buffers.get()
	defer c.srv.buffers.put(b)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	c.send(status, b.Bytes())
}
