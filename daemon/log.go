package daemon

import (
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/verimails/verimaild/config"
)

// newLogger writes to standard error, where the service manager takes it up. The level can be changed later.
func newLogger(cfg config.Log) (*zap.Logger, zap.AtomicLevel, error) {
	level, err := zap.ParseAtomicLevel(cfg.Level)
	if err != nil {
		return nil, level, fmt.Errorf("log.level: %w", err)
	}
	enc := zap.NewProductionEncoderConfig()
	enc.EncodeTime = zapcore.RFC3339TimeEncoder
	enc.EncodeDuration = zapcore.StringDurationEncoder
	zc := zap.Config{
		Level: level, Encoding: cfg.Format, EncoderConfig: enc, DisableStacktrace: true, DisableCaller: true,
		OutputPaths: []string{"stderr"}, ErrorOutputPaths: []string{"stderr"},
	}
	log, err := zc.Build()
	if err != nil {
		return nil, level, fmt.Errorf("log: %w", err)
	}
	return log, level, nil
}
