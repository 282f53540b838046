package apitype

// CacheStats is the reply of GET /v1/cache: what memory holds, and how it has served since the daemon started.
type CacheStats struct {
	// Degraded is true while what is learned is kept in memory only, because the disk has no room for it.
	Degraded bool `json:"degraded"`

	Memory  CacheMemory  `json:"memory"`
	Disk    CacheDisk    `json:"disk"`
	Lookups []CacheKind  `json:"lookups"` // One for each kind of record.
	Faults  CacheFaults  `json:"faults"`
	Total   CacheLookups `json:"total"` // Of all kinds.
}

// CacheMemory is the part of the cache that is in memory.
type CacheMemory struct {
	Entries int64 `json:"entries"`
	Bytes   int64 `json:"bytes"` // Roughly.
}

// CacheDisk is the part of the cache that is on disk.
type CacheDisk struct {
	InUse   bool   `json:"in_use"`  // false if there was no room for it when the daemon started.
	Bytes   int64  `json:"bytes"`   // As allocated on disk.
	Waiting int64  `json:"waiting"` // Bytes that are queued to be written.
	Written uint64 `json:"written"` // Writes and deletions.
	Commits uint64 `json:"commits"` // Transactions that they took.
	Dropped uint64 `json:"dropped"` // Writes that were not even queued.
	Failed  uint64 `json:"failed"`  // Writes that failed, for want of room or otherwise.
	Damaged uint64 `json:"damaged"` // Reads that met a damaged block.
}

// CacheKind is the look-ups of one kind of record: mailbox, domain or mail_hosts.
type CacheKind struct {
	Kind string `json:"kind"`
	CacheLookups
}

// CacheLookups count look-ups by where the record was found.
type CacheLookups struct {
	Memory uint64 `json:"memory"` // In memory.
	Disk   uint64 `json:"disk"`   // On disk.
	Misses uint64 `json:"misses"` // Nowhere, or too old to serve.
	Stale  uint64 `json:"stale"`  // Of those found, past the age at which the question is asked again behind the answer.
}

// CacheFaults count records that did not count.
type CacheFaults struct {
	Bad            uint64 `json:"bad"`            // Values on disk that could not be read: damaged, or of another version.
	Void           uint64 `json:"void"`           // Not stored, because their subject was forgotten meanwhile.
	Contradictions uint64 `json:"contradictions"` // Facts about domains that were found wrong.
}

// Forgotten is the reply of each DELETE of what is remembered.
type Forgotten struct {
	// Records is how many records there were: mailboxes, facts about the domain, its mail hosts. null if they were not
	// counted, as when everything is forgotten.
	Records *int64 `json:"records"`
}

// Imported is the reply of POST /v1/cache/import.
type Imported struct {
	Records int64 `json:"records"` // Records read.
	Expired int64 `json:"expired"` // Of those, left out because they are too old to serve.
}
