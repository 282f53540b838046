package doctor

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A host is what is asked of the operating system.
type host struct {
	now       func() time.Time
	synced    func() (yes, known bool) // The clock is kept right by somebody.
	space     func(dir string) (space, error)
	openFiles func(pid int) (limit uint64, err error) // Of a process; 0 is this one.
}

// space is the room on a file system.
type space struct {
	free       uint64 // Bytes, for who is not root.
	files      uint64 // That can still be made.
	filesKnown bool   // The file system has such a limit.
	readOnly   bool
}

func thisHost() host {
	return host{now: time.Now, synced: clockSynced, space: spaceOf, openFiles: fileLimit}
}

// looksHost looks at descriptors and the clock.
func (x *exam) looksHost(r running) []Finding {
	return []Finding{x.descriptors(r), x.clock()}
}

// spareFiles is what a daemon has open beside its sessions with mail servers: clients, and the files of two stores.
const spareFiles = 1000

// descriptors looks whether as many sessions can be opened as are configured.
func (x *exam) descriptors(r running) Finding {
	f := Finding{Check: "descriptors", State: OK}
	whose, pid := "a process of this user", 0
	if r.answers && r.pid > 0 {
		whose, pid = "the daemon", r.pid
	}
	limit, err := x.host.openFiles(pid)
	if err != nil {
		f.State, f.Found = Unknown, fmt.Sprintf("how many files %s may open is not known: %v", whose, err)
		return f
	}
	f.Found = fmt.Sprintf("%s may open %d files", whose, limit)
	if x.Config == nil {
		return f
	}
	need := uint64(x.Config.Egress.MaxSessions) + spareFiles //nolint:gosec // G115: not negative.
	if x.Config.Egress.MaxSessions > 0 && limit < need {
		f.State = Warn
		f.Found = fmt.Sprintf("%s may open %d files, and egress.max_sessions is %d", whose, limit, x.Config.Egress.MaxSessions)
		f.Advice = fmt.Sprintf("Raise LimitNOFILE to %d, or lower egress.max_sessions.", need)
		if pid == 0 { // The service has a limit of its own.
			f.State = Note
		}
	}
	return f
}

// epoch is before this program was written: a clock that says so is wrong.
var epoch = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// clock looks whether the clock can be right.
func (x *exam) clock() Finding {
	f := Finding{Check: "clock", State: OK}
	now := x.host.now().UTC()
	oldest := epoch
	if built, err := time.Parse(time.RFC3339, x.Version.Built); err == nil && built.After(oldest) {
		oldest = built
	}
	const advice = "Set the clock, and let NTP keep it: timedatectl set-ntp true."
	synced, known := x.host.synced()
	switch {
	case now.Before(oldest.Add(-24 * time.Hour)):
		f.State, f.Found = Fail, fmt.Sprintf("the clock says %s, which is before this program was built", now.Format(time.DateTime))
		f.Advice = advice
	case known && !synced:
		f.State, f.Found = Warn, fmt.Sprintf("nobody keeps the clock right; it says %s UTC", now.Format(time.DateTime))
		f.Advice = advice
	default:
		f.Found = fmt.Sprintf("the clock says %s UTC", now.Format(time.DateTime))
	}
	return f
}

// limitIn finds the soft limit of open files in the text of /proc/PID/limits, proc(5).
func limitIn(path string) (uint64, error) {
	file, err := os.Open(path) //nolint:gosec // G304: a file of the proc file system.
	if err != nil {
		return 0, err
	}
	defer file.Close()
	for sc := bufio.NewScanner(file); sc.Scan(); {
		if rest, ok := strings.CutPrefix(sc.Text(), "Max open files"); ok {
			if w := strings.Fields(rest); len(w) > 0 {
				return strconv.ParseUint(w[0], 10, 64)
			}
		}
	}
	return 0, fmt.Errorf("%s: no limit of open files", path)
}
