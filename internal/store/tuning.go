package store

import (
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"go.uber.org/zap"
)

// tuning is all in which the two stores differ. The reasons for the numbers stand in docs/adr/0008-memory-and-stores.md.
type tuning struct {
	name string
	dir  string // "" is in memory.

	still    bool          // See Options.Still.
	durable  bool          // Synced before a writer is told that its write is done.
	verify   time.Duration // How long opening may spend on reading the tables over.
	memTable int64
	maxValue int // The longest value, in bytes.

	// queue is how many writes may wait, queueBytes how many bytes of those that would rather be dropped.
	queue      int
	queueBytes int64
	// groupOps and groupBytes bound a commit. Badger takes 15 % of a memtable in one transaction.
	groupOps   int
	groupBytes int64

	// reserve is the room, in bytes, that must be left on the file system for a write to be taken: enough to write
	// out the memtables and for the compactions under way. deleteReserve is the same for deletions, which a nearly
	// full disk must not stop.
	reserve       uint64
	deleteReserve uint64
}

func stateTuning(dir string) tuning {
	return tuning{
		name: stateName, dir: dir,
		durable: true, verify: 2 * time.Second, memTable: 8 << 20, maxValue: 512 << 10,
		queue: 1024, queueBytes: 8 << 20, groupOps: 2048, groupBytes: 1 << 20,
		reserve: 96 << 20, deleteReserve: 64 << 20,
	}
}

func cacheTuning(dir string) tuning {
	return tuning{
		name: cacheName, dir: dir,
		durable: false, verify: 500 * time.Millisecond, memTable: 4 << 20, maxValue: 64 << 10,
		queue: 16384, queueBytes: 16 << 20, groupOps: 256, groupBytes: 256 << 10,
		reserve: 256 << 20, deleteReserve: 96 << 20,
	}
}

// inMemory is t for a store without a directory.
func inMemory(t tuning) tuning {
	t.dir, t.reserve, t.deleteReserve = "", 0, 0
	return t
}

// badgerOptions are Badger's options for t.
func (t tuning) badgerOptions(log *zap.Logger) badger.Options {
	o := badger.DefaultOptions(t.dir)
	o.InMemory = t.dir == ""
	o.Logger = badgerLogger{log.Sugar()}
	o.SyncWrites = t.durable && !o.InMemory
	o.MetricsEnabled = false
	o.DetectConflicts = false // One writer per store: there is nobody to conflict with.
	o.NumVersionsToKeep = 1

	// Every value lives beside its key. A value in the value log would cost a second read, need a garbage
	// collector, and be reported as synced even when syncing it failed.
	o.ValueThreshold = int64(t.maxValue) + 1
	o.ValueLogFileSize = 4 << 20

	o.MemTableSize = t.memTable
	o.NumMemtables = 2
	o.NumLevelZeroTables = 4
	o.NumLevelZeroTablesStall = 10
	o.NumCompactors = 2
	o.BaseTableSize = 2 << 20
	o.TableSizeMultiplier = 1
	o.BaseLevelSize = 16 << 20
	o.NumGoroutines = 1 // Of streams, which we don't use.

	// Indexes are read where the kernel has mapped them, which takes no anonymous memory. Records of one domain lie
	// side by side and are much alike, so blocks compress well. The cache of unpacked blocks is small on purpose: what
	// is asked for again soon is in the cache of decoded records already.
	o.Compression = options.Snappy
	o.BlockCacheSize = 8 << 20
	o.IndexCacheSize = 0
	o.ChecksumVerificationMode = options.OnBlockRead
	if t.still {
		o.NumCompactors, o.CompactL0OnClose, o.SyncWrites = 0, true, false
		o.Compression, o.BlockCacheSize = options.None, 0 // The cache of blocks has a clock, too.
	}
	return o
}

// badgerLogger gives Badger's messages to zap, one step quieter: what matters to an operator is said by this package.
type badgerLogger struct{ log *zap.SugaredLogger }

func (l badgerLogger) Errorf(format string, args ...any)   { l.log.Warnf(format, args...) }
func (l badgerLogger) Warningf(format string, args ...any) { l.log.Infof(format, args...) }
func (l badgerLogger) Infof(format string, args ...any)    { l.log.Debugf(format, args...) }
func (l badgerLogger) Debugf(string, ...any)               {}
