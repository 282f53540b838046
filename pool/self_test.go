package pool

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// selfPool is a pool that only watches itself.
func selfPool() *Pool {
	p := bare()
	p.log = zap.NewNop()
	return p
}

func TestSelfTakesTheBlameForManySites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := selfPool()
		for i := range selfSites {
			if p.dialled(fmt.Sprint("mx", i), true) {
				t.Fatalf("%d sites that fail are taken for this host's fault", i+1)
			}
		}
		if !p.dialled("mx10", true) || p.self.until != p.now()+selfPause {
			t.Error("eleven sites that fail within a minute are not taken for this host's fault")
		}
		time.Sleep(selfPause)
		for i := range selfTrials {
			if got := p.dialled(fmt.Sprint("mx", i), true); got != (i == selfTrials-1) {
				t.Errorf("trial %d after the pause: dialled() = %v", i+1, got)
			}
		}
		time.Sleep(selfPause)
		p.dialled("mx1", false)
		for i := range selfTrials {
			if p.dialled(fmt.Sprint("mx", i), true) {
				t.Error("after a dial that went well, three failures are taken for this host's fault")
			}
		}
	})
}

func TestSelfDoesNotTakeTheBlameForSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := selfPool()
		for i := range 200 { // A quarter of all sites is dead.
			if p.dialled(fmt.Sprint("mx", i), i%4 == 0) {
				t.Fatalf("dead sites among live ones are taken for this host's fault, after %d", i)
			}
		}
		time.Sleep(selfWindow + time.Second)
		for range 200 { // One site is dead, and asked all the time.
			if p.dialled("mx", true) {
				t.Fatal("one dead site is taken for this host's fault")
			}
		}
		time.Sleep(selfWindow + time.Second)
		p.dialled("mx", false)
		if len(p.self.last) != 1 || p.self.failures != 0 || len(p.self.sites) != 0 {
			t.Errorf("a minute later it still knows %+v", p.self)
		}
	})
}
