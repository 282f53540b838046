package daemon

import (
	"context"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon/api"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// An answerLog writes one line for each answer, at level debug: with its domain, and with the whole address only if
// log.addresses says so.
type answerLog struct {
	verifier  api.Verifier
	log       *zap.Logger
	addresses atomic.Bool
}

func newAnswerLog(v api.Verifier, log *zap.Logger, cfg config.Log) *answerLog {
	l := &answerLog{verifier: v, log: log}
	l.addresses.Store(cfg.Addresses)
	return l
}

// Verify does what the verifier does, and logs it.
func (l *answerLog) Verify(ctx context.Context, req verify.Request) (*verdict.Answer, error) {
	start := time.Now()
	ans, err := l.verifier.Verify(ctx, req)
	entry := l.log.Check(zapcore.DebugLevel, "answer")
	if entry == nil {
		return ans, err
	}
	fields := []zap.Field{zap.String("app", req.App), zap.Duration("dur", time.Since(start))}
	if l.addresses.Load() {
		fields = append(fields, zap.String("address", req.Email))
	}
	if err != nil {
		fields = append(fields, zap.Error(err))
	} else {
		fields = append(fields,
			zap.String("domain", ans.Domain), zap.String("verdict", string(ans.Reason.Verdict())),
			zap.String("reason", string(ans.Reason)), zap.Bool("cached", ans.Cached))
	}
	entry.Write(fields...)
	return ans, err
}
