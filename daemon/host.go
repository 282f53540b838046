package daemon

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// checkClock says whether now can be: a clock from before the program was built, as on a host without a battery that has
// not heard from a time server yet, would make every age, budget and retry that is written down wrong.
func checkClock(now time.Time) error {
	oldest, err := time.Parse(time.RFC3339, Version().Built)
	if err != nil {
		oldest = firstCommit()
	}
	if now.Before(oldest.Add(-clockSlack)) {
		return fmt.Errorf("the clock says %s, and this program was built on %s: set the clock first",
			now.UTC().Format(time.RFC3339), oldest.UTC().Format(time.DateOnly))
	}
	return nil
}

// firstCommit is before any build, for one that does not know its own time.
func firstCommit() time.Time { return time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC) }

// clockSlack is how far the clocks of the builder and of this host may be apart.
const clockSlack = 24 * time.Hour

// lookAtHost notes what is wrong with this host just now, for the status and for GET /readyz. The daemon works on.
func (d *Daemon) lookAtHost() {
	if d.look == nil {
		return
	}
	faults := d.look()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = faults
}

// hostFaults are what the daemon can do without, and its operator should not.
func (d *Daemon) hostFaults() []problem {
	var found []problem
	if d.stores != nil && (d.stores.State().Stats().Full || d.stores.Cache().Stats().Full) {
		found = append(found, problem{"disk_full", "The disk of " + d.boot.StateDir + " is full: nothing more is remembered"})
	}
	if err := checkClock(time.Now()); err != nil {
		found = append(found, problem{"clock", "The clock is wrong: " + err.Error()})
	}
	if d.invents.Load() {
		found = append(found, problem{
			"resolver_invents",
			"The resolver invents addresses for names that do not exist: such domains are dns_failure until it is replaced",
		})
	}
	if uids, err := os.ReadFile("/proc/self/uid_map"); err == nil && hidesUsers(string(uids)) {
		found = append(found, problem{
			"callers_hidden",
			"Callers cannot be told apart: this process is in a user namespace (PrivateUsers= in the unit?)",
		})
	}
	return found
}

// hidesUsers reports whether a user namespace with this uid_map has fewer users than there are. All users that it has
// not are the same one to whoever is in it, user_namespaces(7).
func hidesUsers(uidMap string) bool {
	var inside, outside, count uint64
	total := uint64(0)
	for line := range strings.Lines(uidMap) {
		if n, err := fmt.Sscan(line, &inside, &outside, &count); n != 3 || err != nil {
			return false // Not a form that we know.
		}
		total += count
	}
	return total > 0 && total < commonUsers
}

// commonUsers is how many users a container has at least that is not made to hide them.
const commonUsers = 1 << 16
