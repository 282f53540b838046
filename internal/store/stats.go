package store

import (
	"io/fs"
	"path/filepath"
	"syscall"
)

// Stats are a store's counters since it was opened, and its size.
type Stats struct {
	InUse   bool   // False if the store was left unused for want of room.
	Full    bool   // True while writes are refused for want of room.
	Written uint64 // Writes and deletions.
	Commits uint64 // Transactions that they took.
	Dropped uint64 // Writes that were not even queued: the queue was full, or the store is not in use.
	Failed  uint64 // Writes that failed, for want of room or otherwise.
	Damaged uint64 // Reads that met a damaged block.
	Waiting int64  // Bytes in the queue.
	Disk    int64  // Bytes on disk, as allocated; 0 in memory.
}

// Stats counts. It walks the store's directory, so it is for people and for scrapes, not for every request.
func (s *Store) Stats() Stats {
	st := Stats{
		InUse:   s.db != nil,
		Full:    s.counts.full.Load(),
		Written: s.counts.written.Load(),
		Commits: s.counts.commits.Load(),
		Dropped: s.counts.dropped.Load(),
		Failed:  s.counts.failed.Load(),
		Damaged: s.counts.damaged.Load(),
	}
	if s.writer != nil {
		st.Waiting = s.writer.waiting.Load()
	}
	if s.tune.dir != "" {
		st.Disk = allocated(s.tune.dir)
	}
	return st
}

// allocated is the room that a directory's files take. Badger's logs are sparse: their lengths say nothing.
// Files that vanish while it looks are not counted.
func allocated(dir string) int64 {
	var n int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // A compaction removed it.
		}
		if fi, err := d.Info(); err == nil {
			if st, ok := fi.Sys().(*syscall.Stat_t); ok {
				n += st.Blocks * 512
			}
		}
		return nil
	})
	return n
}
