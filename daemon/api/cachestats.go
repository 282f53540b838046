package api

import (
	"net/http"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/internal/store"
)

// remembered is the daemon's memory, or why there is none.
func (s *Server) remembered() (*cache.Cache, error) {
	if s.opts.Cache == nil {
		return nil, fail(apitype.CodeCacheDisabled, "This daemon remembers nothing: it runs a sandbox without memory (sandbox.memory).")
	}
	return s.opts.Cache, nil
}

// cacheStats is GET /v1/cache.
func (s *Server) cacheStats(c *call) error {
	memory, err := s.remembered()
	if err != nil {
		return err
	}
	if err := c.noQuery(); err != nil {
		return err
	}
	st := memory.Stats()
	c.sendJSON(http.StatusOK, wireCacheStats(&st))
	return nil
}

func wireCacheStats(st *cache.Stats) apitype.CacheStats {
	out := apitype.CacheStats{
		Degraded: !st.Store.InUse || st.Store.Full,
		Memory:   apitype.CacheMemory{Entries: int64(st.Entries), Bytes: int64(st.Bytes)},
		Disk:     wireDisk(&st.Store),
		Lookups:  make([]apitype.CacheKind, len(st.Kinds)),
		Faults:   apitype.CacheFaults{Bad: st.Bad, Void: st.Void, Contradictions: st.Contradictions},
	}
	for i, k := range st.Kinds {
		n := apitype.CacheLookups{Memory: k.Memory, Disk: k.Disk, Misses: k.Misses, Stale: k.Stale}
		out.Lookups[i] = apitype.CacheKind{Kind: k.Kind, CacheLookups: n}
		out.Total.Memory += n.Memory
		out.Total.Disk += n.Disk
		out.Total.Misses += n.Misses
		out.Total.Stale += n.Stale
	}
	return out
}

func wireDisk(st *store.Stats) apitype.CacheDisk {
	return apitype.CacheDisk{
		InUse: st.InUse, Bytes: st.Disk, Waiting: st.Waiting, Written: st.Written, Commits: st.Commits,
		Dropped: st.Dropped, Failed: st.Failed, Damaged: st.Damaged,
	}
}
