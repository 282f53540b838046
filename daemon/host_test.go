package daemon

import (
	"strings"
	"testing"
	"time"
)

func TestCheckClock(t *testing.T) {
	for _, tt := range []struct {
		name string
		now  time.Time
		ok   bool
	}{
		{"now", time.Now(), true},
		{"1970", time.Unix(60, 0), false},
		{"a day off at most", firstCommit().Add(-clockSlack), true},
		{"more", firstCommit().Add(-clockSlack - time.Second), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := checkClock(tt.now)
			if (err == nil) != tt.ok {
				t.Errorf("checkClock(%s) = %v, want ok %t", tt.now, err, tt.ok)
			}
			if err != nil && !strings.Contains(err.Error(), tt.now.UTC().Format(time.RFC3339)) {
				t.Errorf("checkClock(%s) = %v, want the time that the clock says in it", tt.now, err)
			}
		})
	}
}

func TestHidesUsers(t *testing.T) {
	for _, tt := range []struct {
		name, uidMap string
		want         bool
	}{
		{"the host", "         0          0 4294967295\n", false},
		{"a container with users of its own", "0 524288 65536\n", false},
		{"PrivateUsers, as root", "0 0 1\n65534 65534 1\n", true},
		{"PrivateUsers, as a service", "0 0 1\n998 998 1\n", true},
		{"unreadable", "who knows\n", false},
		{"empty", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := hidesUsers(tt.uidMap); got != tt.want {
				t.Errorf("hidesUsers(%q) = %t, want %t", tt.uidMap, got, tt.want)
			}
		})
	}
}
