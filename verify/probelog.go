package verify

import (
	"context"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/verimails/verimaild/pool"
)

// asked has the prober ask, and says in the log, at level debug, what came of each recipient, under the name of the request
// that had it asked: of the first one, where several wait for the same answer. No address is in it.
func (r *run) asked(ctx context.Context, req pool.Request) []pool.Outcome {
	out := r.s.prober.Probe(ctx, req)
	if r.v.log.Core().Enabled(zapcore.DebugLevel) {
		r.logAsked(&req, out)
	}
	return out
}

func (r *run) logAsked(req *pool.Request, out []pool.Outcome) {
	for i := range out {
		o := &out[i]
		fields := []zap.Field{
			zap.String("request_id", r.req.ID), zap.String("app", req.App), zap.String("domain", req.Domain), zap.Bool("control", o.Recipient.Control),
			zap.String("source", o.Source), zap.String("mx", o.Host), zap.String("stage", string(o.Stage)),
		}
		if o.Failure != pool.FailNone {
			fields = append(fields, zap.String("failure", string(o.Failure)))
		} else {
			fields = append(fields, zap.Int("code", o.Reply.Code), zap.String("class", string(o.Meaning.Class)), zap.String("rule", o.Meaning.Rule))
		}
		r.v.log.Debug("asked", fields...)
	}
}
