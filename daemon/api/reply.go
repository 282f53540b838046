package api

import (
	"bytes"
	"encoding/json"
	"sync"

	"github.com/verimails/verimaild/client/apitype"
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
func (c *call) sendAnswer(status int, a *apitype.Answer) {
	b := c.srv.buffers.get()
	defer c.srv.buffers.put(b)
	b.Write(append(a.AppendJSON(b.AvailableBuffer()), '\n'))
	c.send(status, b.Bytes())
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
