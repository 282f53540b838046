package api

import (
	"cmp"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
	"unicode/utf8"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/client/apitype"
)

// exportCache is GET /v1/cache/export. A reply that breaks off is not ended properly, so that the client can tell.
func (s *Server) exportCache(c *call) error {
	memory, err := s.remembered()
	if err != nil {
		return err
	}
	if err := c.noQuery(); err != nil {
		return err
	}
	out := &streamWriter{c: c, conn: http.NewResponseController(c.w)}
	if c.r.Method == http.MethodHead {
		out.begin()
		return nil
	}
	n, err := memory.Export(c.r.Context(), out)
	if err != nil {
		return err
	}
	c.audit("cache exported", zap.Int("records", n))
	return nil
}

// importCache is POST /v1/cache/import.
func (s *Server) importCache(c *call) error {
	memory, err := s.remembered()
	if err != nil {
		return err
	}
	if err := c.noQuery(); err != nil {
		return err
	}
	if err := c.plainBody(); err != nil {
		return err
	}
	body := &streamReader{c: c, conn: http.NewResponseController(c.w)}
	res, err := memory.Import(c.r.Context(), body)
	c.audit("cache imported", zap.Int("records", res.Read), zap.Int("expired", res.Old), zap.Bool("whole", err == nil))
	if err != nil {
		body.discard()
		return failImport(body, res, err)
	}
	c.sendJSON(http.StatusOK, apitype.Imported{Records: int64(res.Read), Expired: int64(res.Old)})
	return nil
}

// failImport says what came of an import that was not finished.
func failImport(body *streamReader, res cache.ImportResult, err error) error {
	if bad, ok := errors.AsType[*cache.ImportError](err); ok {
		return fail(apitype.CodeInvalidLine, "Line %d makes no sense: %s. What stood before it was imported.", bad.Line, brief(bad.Err.Error()))
	}
	switch {
	case errors.Is(body.err, os.ErrDeadlineExceeded):
		return fail(apitype.CodeBodyTimeout, "No more of the body came for %v; %d records were imported.", body.c.srv.bodyTimeout, res.Read)
	case body.err != nil:
		f := fail(apitype.CodeInvalidJSON, "The body broke off; %d records were imported.", res.Read)
		f.cause = err
		return f
	}
	return err
}

// brief shortens a message that may quote a long line.
func brief(s string) string {
	const most = 300
	if len(s) <= most {
		return s
	}
	cut := most
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// A streamReader reads a body of any length. The client has the body timeout for each piece, not for the whole.
type streamReader struct {
	c    *call
	conn *http.ResponseController
	err  error // Why reading ended; nil for the body's end.
}

func (r *streamReader) Read(p []byte) (int, error) {
	_ = r.conn.SetReadDeadline(time.Now().Add(r.c.srv.bodyTimeout)) // Not supported only by the recorders of tests.
	n, err := r.c.r.Body.Read(p)
	if errors.Is(err, io.EOF) {
		// From here on the client may take its time: a deadline that stays would look like its hanging up.
		_ = r.conn.SetReadDeadline(time.Time{})
	} else if err != nil {
		r.err = err
	}
	return n, err
}

// discard reads what is left of the body, for a while: a client that still writes when the connection is closed may
// never see the reply.
func (r *streamReader) discard() {
	if r.err != nil {
		return
	}
	_ = r.conn.SetReadDeadline(time.Now().Add(r.c.srv.bodyTimeout))
	_, _ = io.Copy(io.Discard, r.c.r.Body) // What matters of it has been said.
}

// A streamWriter sends a reply of any length. The client has the send timeout for each piece. Status and header go with
// the first one; until then the call can still fail in the usual way.
type streamWriter struct {
	c         *call
	conn      *http.ResponseController
	mediaType string // "" means NDJSON.
}

func (w *streamWriter) begin() {
	h := w.c.w.Header()
	h.Set("Content-Type", cmp.Or(w.mediaType, "application/x-ndjson"))
	h.Set("X-Request-Id", w.c.id)
	w.c.status = http.StatusOK
	w.c.w.WriteHeader(http.StatusOK)
}

func (w *streamWriter) Write(p []byte) (int, error) {
	_ = w.conn.SetWriteDeadline(time.Now().Add(w.c.srv.sendTimeout))
	if w.c.status == 0 {
		w.begin()
	}
	n, err := w.c.w.Write(p)
	if err != nil {
		f := fail(apitype.CodeClientClosed, "The client did not take the reply.")
		f.cause = err
		return n, f
	}
	return n, nil
}
