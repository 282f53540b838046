package mailworld

import (
	"context"
	"net/netip"
	"testing"
)

// TestTakeSessions: what has ended is handed out once, what is open later.
func TestTakeSessions(t *testing.T) {
	w, err := StartMemory(Spec{Hosts: []Host{{Name: "mx.a.test"}}})
	if err != nil {
		t.Fatal(err)
	}
	dial := func() func() {
		c, err := w.Dial(context.Background(), netip.AddrPort{}, w.HostAddr("mx.a.test"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 100)); err != nil { // The greeting: the session is on record.
			t.Fatal(err)
		}
		return func() {
			_, _ = c.Write([]byte("QUIT\r\n")) // Whether it is read does not matter.
			_ = c.Close()
		}
	}
	first, second := dial(), dial()
	if got := w.TakeSessions(); len(got) != 0 {
		t.Errorf("TakeSessions() with both open = %d of them, want none", len(got))
	}
	first()
	second()
	if err := w.Close(); err != nil { // Waits for the sessions' ends.
		t.Fatal(err)
	}
	if got := w.TakeSessions(); len(got) != 2 || got[0].ID > got[1].ID {
		t.Errorf("TakeSessions() = %+v, want both in their order", got)
	}
	if got := w.TakeSessions(); len(got)+len(w.Sessions("")) != 0 {
		t.Errorf("TakeSessions() again = %d of them, want none", len(got))
	}
}
