package api

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/verdict"
)

// AccountsOptions make [Accounts].
type AccountsOptions struct {
	Apps Apps

	// State keeps the counts, under "usage/". nil keeps them in memory only.
	State *store.Store

	// Observe is told of each answer, concurrently; it must not block. nil observes nothing.
	Observe func(*verdict.Answer)

	Logger *zap.Logger      // nil logs nothing.
	Now    func() time.Time // nil means time.Now.
}

// Accounts know the applications, and keep count of what each asks. They are shared by all that asks on behalf of
// applications. Their methods may be called concurrently.
//
// Counts are written a second after they change: after kill -9 or a power cut, what was charged and answered in the
// last second, or while the disk was full, is forgotten. A stop in good order forgets nothing. The rate of a minute and
// the number under way begin anew with each start.
type Accounts struct {
	self, rootIs int // Users that are admins: our own effective one, and root.

	log   *zap.Logger
	watch func(*verdict.Answer)
	now   func() time.Time
	state *store.Store
	days  *store.Records[dayCount] // By dayKey; nil keeps nothing.
	table atomic.Pointer[appTable]

	mu     sync.Mutex          // Guards byName.
	byName map[string]*account // Also of applications that are configured no more.

	wg   sync.WaitGroup
	stop func()

	failing bool // The last write failed; used by write only, which one goroutine at a time calls.
}

const (
	writeEvery = time.Second

	// keepDays is for how long a day's count is kept: this month and a year before it.
	keepDays = 400 * 24 * time.Hour
)

// NewAccounts makes accounts with what is stored of them. Start has them stored on.
func NewAccounts(opts AccountsOptions) (*Accounts, error) {
	a := &Accounts{
		self: os.Geteuid(), rootIs: 0, log: opts.Logger, watch: opts.Observe, now: opts.Now, byName: map[string]*account{}, stop: func() {},
	}
	if a.watch == nil {
		a.watch = func(*verdict.Answer) {}
	}
	if a.log == nil {
		a.log = zap.NewNop()
	}
	if a.now == nil {
		a.now = time.Now
	}
	if opts.State != nil {
		days, err := store.NewRecords(opts.State, "usage/", dayCodec)
		if err != nil {
			return nil, err
		}
		a.state, a.days = opts.State, days
		if err := a.load(); err != nil {
			return nil, fmt.Errorf("usage: %w", err)
		}
	}
	a.Replace(opts.Apps)
	return a, nil
}

// Replace puts apps into force, for connections that are open already, too. What was counted stays.
func (a *Accounts) Replace(apps Apps) { a.table.Store(newAppTable(apps, a.account)) }

// account finds or makes the account of an application.
func (a *Accounts) account(name string) *account {
	a.mu.Lock()
	defer a.mu.Unlock()
	acc := a.byName[name]
	if acc == nil {
		acc = newAccount(name, dayOf(a.now()))
		a.byName[name] = acc
	}
	return acc
}

// all lists the accounts by name.
func (a *Accounts) all() []*account {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := slices.Collect(maps.Values(a.byName))
	slices.SortFunc(out, func(x, y *account) int { return strings.Compare(x.name, y.name) })
	return out
}

// identify says which application a peer is, and what it may do. root and our own user are admins, and never shut out.
func (a *Accounts) identify(t *appTable, peer peer) *Caller {
	m, claimed := t.find(peer.UID, peer.GID, peer.Groups)
	c := &Caller{peer: peer, table: t, member: m, App: m.Name, Scopes: m.Scopes, Weight: m.Weight, Class: m.Class}
	ours := peer.UID == a.rootIs || peer.UID == a.self
	if t.only && !claimed && !ours {
		c.Scopes = ScopeNone
		c.refused = "apps_only"
	}
	if ours {
		c.Scopes |= ScopeAdmin
	}
	return c
}

// dayKey is where a day's count is stored: the application, a zero octet, the date.
func dayKey(app string, d day) []byte { return append(append([]byte(app), 0), d.String()...) }

// splitDayKey is dayKey, backwards.
func splitDayKey(key []byte) (app string, d day, ok bool) {
	app, date, ok := strings.Cut(string(key), "\x00")
	t, err := time.Parse(time.DateOnly, date)
	return app, dayOf(t), ok && err == nil
}

// load reads what was counted this month. A count that can't be read is left out.
func (a *Accounts) load() error {
	today := dayOf(a.now())
	for item, err := range a.days.Scan(store.Range{}) {
		app, d, ok := splitDayKey(item.Key)
		if store.IsBad(err) || err == nil && !ok {
			a.log.Warn("a count of usage can't be read, and is left out", zap.String("app", app), zap.Error(err))
			continue
		}
		if err != nil {
			return err
		}
		a.account(app).restore(d, today, item.Value)
	}
	return nil
}

// restore takes over a count from the store.
func (a *account) restore(d, today day, c dayCount) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case d == today:
		a.today = c
	case d < today && d >= today.firstOfMonth():
		a.month += c.Charged
	}
}

// Start has the counts stored every second until Close.
func (a *Accounts) Start(ctx context.Context) {
	ctx, a.stop = context.WithCancel(ctx)
	a.wg.Go(func() {
		tick := time.NewTicker(writeEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_ = a.write(ctx) // Logged there.
			}
		}
	})
}

// Close stores what is counted and ends what Start began. The store is still open then.
func (a *Accounts) Close(ctx context.Context) error {
	a.stop()
	a.wg.Wait()
	return a.write(context.WithoutCancel(ctx)) // The state store does not make anybody wait for long.
}

// write stores what has changed, all in one commit; what can't be stored now is tried again with the next.
func (a *Accounts) write(ctx context.Context) error {
	if a.days == nil {
		return nil
	}
	var batch store.Batch
	taken := map[*account][]storedDay{}
	for _, acc := range a.all() {
		taken[acc] = acc.take()
		for _, d := range taken[acc] {
			a.days.PutIn(&batch, dayKey(acc.name, d.day), d.count, keepDays)
		}
	}
	if batch.Len() == 0 {
		return nil
	}
	err := a.state.Commit(ctx, &batch)
	if err != nil {
		for acc, days := range taken {
			acc.putBack(days)
		}
		if !a.failing && ctx.Err() == nil {
			a.log.Error("usage is not stored; until it is, quotas hold only while the daemon runs", zap.Error(err))
		}
	}
	a.failing = err != nil
	return err
}
