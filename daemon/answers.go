package daemon

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
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
// log.addresses says so; otherwise with a keyed hash of it, by which lines about one address can be found.
type answerLog struct {
	verifier  api.Verifier
	log       *zap.Logger
	key       [32]byte // Of the hashes.
	addresses atomic.Bool
}

func newAnswerLog(v api.Verifier, log *zap.Logger, key [32]byte, cfg config.Log) *answerLog {
	l := &answerLog{verifier: v, log: log, key: key}
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
	fields := []zap.Field{zap.String("request_id", req.ID), zap.String("app", req.App), zap.Duration("dur", time.Since(start))}
	if l.addresses.Load() {
		fields = append(fields, zap.String("address", req.Email))
	} else {
		fields = append(fields, zap.String("address_hash", l.hash(ans, req.Email)))
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

// hash stands for an address: that of its normal form, if it has one, so that one spelling finds the other.
func (l *answerLog) hash(ans *verdict.Answer, email string) string {
	if ans != nil && ans.Normalized != "" {
		email = ans.Normalized
	}
	mac := hmac.New(sha256.New, l.key[:])
	mac.Write([]byte(email))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}
