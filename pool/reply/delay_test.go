package reply

import (
	"testing"
	"time"

	"github.com/verimails/verimaild/pool/smtp"
)

func TestDelay(t *testing.T) {
	tests := []struct {
		text string
		want time.Duration
	}{
		{"Greylisted, try again in 300 seconds", 300 * time.Second},
		{"Greylisted for 5 minutes", 5 * time.Minute},
		{"please retry in 10min", 10 * time.Minute},
		{"come back in 00:04:58", 4*time.Minute + 58*time.Second},
		{"Greylisting in action, please come back after 01:00:00", time.Hour},
		{"try again in 1 hour(s) 25 minute(s)", 85 * time.Minute},
		{"try again in 1 hour and 5 minutes", 65 * time.Minute},
		{"try again in 1 hour, 2 minutes, 3 seconds", time.Hour + 2*time.Minute + 3*time.Second},
		{"retry=60", time.Minute},
		{"Retry-After: 120", 2 * time.Minute},
		{"wait 90s", 90 * time.Second},
		{"delayed by 2h", 2 * time.Hour},
		{"a 20-minute delay", 20 * time.Minute},
		{"Bitte in 5 Minuten noch einmal versuchen", 5 * time.Minute},
		{"réessayez dans 2 heures", 2 * time.Hour},
		{"intente en 30 segundos", 30 * time.Second},
		{"повторите через 10 минут", 10 * time.Minute},
		{"请在5分钟后重试", 5 * time.Minute},
		{"blocked for 90 days", 24 * time.Hour},
		{"more than 100 messages in 1 hour", time.Hour},
		{"Greylisted", 0},
		{"at 12:30:45 your time", 0},
		{"450 4.7.1 try again", 0},
		{"id x20min", 0},
		{"192.0.2.1 seconds", 0},
		{"in 99999999 seconds", 0},
		{"in 3 goes", 0},
		{"", 0},
	}
	for _, tt := range tests {
		if got := delay([]byte(tt.text)); got != tt.want {
			t.Errorf("delay(%q) = %v, want %v", tt.text, got, tt.want)
		}
	}
}

func TestRetryHint(t *testing.T) {
	tests := []struct {
		name string
		r    smtp.Reply
		want time.Duration
	}{
		{"told", smtp.Reply{Code: 450, Lines: []string{"Greylisted, try again in 60 seconds"}}, time.Minute},
		{"told over a line end", smtp.Reply{Code: 450, Lines: []string{"Greylisted, try again in 60", "seconds"}}, time.Minute},
		{"not told", smtp.Reply{Code: 450, Lines: []string{"Greylisted"}}, 310 * time.Second},
		{"does not pass", smtp.Reply{Code: 550, Lines: []string{"User unknown for 5 minutes"}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Builtin().Classify(smtp.StageRCPT, &tt.r, "").Retry; got != tt.want {
				t.Errorf("Classify(%q).Retry = %v, want %v", tt.r.Lines, got, tt.want)
			}
		})
	}
}
