package cache

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/verdict"
)

// Export writes what is remembered of domains as NDJSON, for [Cache.Import] on another host. It returns how
// many records it wrote. It stops when ctx is done.
func (c *Cache) Export(ctx context.Context, w io.Writer) (n int, err error) {
	if err := c.Flush(ctx); err != nil {
		return 0, fmt.Errorf("cache: export: %w", err)
	}
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	now := c.now()
	if err := enc.Encode(headerLine{transferKind, transferVersion, now.UTC().Truncate(time.Second)}); err != nil {
		return 0, fmt.Errorf("cache: export: %w", err)
	}
	for _, part := range []struct {
		set  *store.Records[[]byte]
		line func(value []byte, now time.Time) (any, bool)
	}{{c.facts, c.factLine}, {c.hosts, c.hostsLine}} {
		m, err := c.exportSet(ctx, enc, part.set, func(value []byte) (any, bool) { return part.line(value, now) })
		n += m
		if err != nil {
			return n, fmt.Errorf("cache: export: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return n, fmt.Errorf("cache: export: %w", err)
	}
	return n, nil
}

func (c *Cache) exportSet(ctx context.Context, enc *json.Encoder, set *store.Records[[]byte], line func([]byte) (any, bool)) (n int, err error) {
	for item, err := range set.Scan(store.Range{}) {
		if store.IsBad(err) {
			c.bad(err)
			continue
		}
		if err != nil {
			return n, err
		}
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		l, ok := line(item.Value)
		if !ok {
			continue
		}
		if err := enc.Encode(l); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (c *Cache) factLine(value []byte, now time.Time) (any, bool) {
	rec, err := decodeFact(value)
	if err != nil {
		c.bad(err)
		return nil, false
	}
	if c.ages.Load().factAge(&rec.DomainFact).freshness(rec.CheckedAt, now) == verdict.Missing || rec.epoch < c.epochOf(rec.Domain) {
		return nil, false
	}
	return domainLine{
		Kind: lineDomain, Domain: rec.Domain, AcceptsAll: rec.AcceptsAll.Ptr(), Reason: rec.Reason,
		CheckedAt: rec.CheckedAt, Evidence: toJSON(rec.Evidence),
	}, true
}

func (c *Cache) hostsLine(value []byte, now time.Time) (any, bool) {
	rec, err := decodeHosts(value)
	if err != nil {
		c.bad(err)
		return nil, false
	}
	if rec.Status.Failed() || rec.freshness(c.ages.Load(), now) == verdict.Missing {
		return nil, false
	}
	l := hostsLine{
		Kind: lineHosts, Domain: rec.Domain.ASCII(), Status: string(rec.Status), Implicit: rec.Implicit,
		TTL: int64(rec.TTL / time.Second), At: rec.At, Detail: rec.Detail, Server: rec.Server,
	}
	for i := range rec.Hosts {
		h := &rec.Hosts[i]
		l.Hosts = append(l.Hosts, hostJSON{h.Name, h.Preference, string(h.Status), h.Detail, h.Addrs, h.Refused})
	}
	return l, true
}
