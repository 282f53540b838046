package daemon

import (
	"cmp"
	"math"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/daemon/bulk"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool"
)

// A gatherer asks the parts of a daemon for what they count, at each scrape.
type gatherer struct {
	d     *Daemon
	descs map[string]*prometheus.Desc
}

// A family is one metric: its name, what it says, its labels, and whether it only ever grows.
type family struct {
	name, help string
	labels     []string
	counter    bool
}

// families are what a gatherer reports. Those of the runtime and of metrics are not among them.
var families = []family{
	{"verimaild_build_info", "What the daemon was built from.", []string{"version", "go"}, false},
	{"verimaild_start_time_seconds", "When the daemon started.", nil, false},
	{"verimaild_ready", "1 if addresses can be verified to the end.", nil, false},

	{"verimaild_api_answers_total", "Answers, by application and reason.", []string{"app", "verdict", "reason", "cached"}, true},
	{"verimaild_api_refused_total", "Addresses that a quota refused.", []string{"app"}, true},
	{"verimaild_api_quota_limit", "What an application may ask.", []string{"app", "quota"}, false},
	{"verimaild_api_quota_used", "What of that it has used now.", []string{"app", "quota"}, false},
	{"verimaild_api_requests_total", "Requests, by route and class of status.", []string{"route", "status"}, true},
	{"verimaild_api_connections", "Connections to the socket.", nil, false},
	{"verimaild_api_connections_refused_total", "Connections refused, because their user had too many.", nil, true},
	{"verimaild_api_streams", "Streams under way.", nil, false},
	{"verimaild_api_spool_bytes", "What streams have read ahead of their answers.", nil, false},

	{"verimaild_pool_dials_total", "Attempts to connect to an address.", nil, true},
	{"verimaild_pool_dials_failed_total", "Attempts to open a session that came to nothing at all hosts.", nil, true},
	{"verimaild_pool_sessions_total", "Sessions opened.", nil, true},
	{"verimaild_pool_transactions_total", "Transactions.", nil, true},
	{"verimaild_pool_recipients_total", "Recipients that a mail host replied about.", nil, true},
	{"verimaild_pool_refusals_total", "Of those, recipients that were not accepted.", nil, true},
	{"verimaild_pool_dropped_total", "Recipients that nobody waited for any more.", nil, true},
	{"verimaild_pool_sessions", "Sessions, by state.", []string{"state"}, false},
	{"verimaild_pool_waiting", "Recipients that wait to be asked about.", nil, false},
	{"verimaild_pool_sender_refused", "1 while nothing is asked because receivers that have nothing to do with each other refuse the reverse-path.", nil, false},
	{"verimaild_pool_sites", "Sites where there are sessions, or recipients wait.", nil, false},
	{"verimaild_pool_source_sessions", "Sessions of each source.", []string{"source"}, false},
	{"verimaild_pool_source_suspended", "1 while a source asks nobody.", []string{"source"}, false},

	{"verimaild_pool_paths", "Sources at sites, by their breaker: closed, slow (one question a minute), open (none), testing.", []string{"state"}, false},
	{"verimaild_pool_budgets_spent", "Budgets of sites without room for one more refusal or control now.", []string{"budget"}, false},

	{"verimaild_bulk_jobs", "Jobs, by state.", []string{"state"}, false},
	{"verimaild_bulk_rows", "Rows of all jobs: done, left, and of these waiting because a mail server put them off.", []string{"state"}, false},

	{"verimaild_feedback_deliverable", "Messages to addresses that were answered deliverable, by what was reported of them within the window, delivered or bounced.", []string{"provider", "outcome"}, false},
	{"verimaild_feedback_reports_total", "Reports of what became of messages, by application and what they led to.", []string{"app", "effect"}, true},

	{"verimaild_cache_lookups_total", "Look-ups in memory, by kind of record and where it was found.", []string{"kind", "tier"}, true},
	{"verimaild_cache_stale_total", "Records that were served and refreshed behind the answer.", []string{"kind"}, true},
	{"verimaild_cache_entries", "Records held in memory.", nil, false},
	{"verimaild_cache_bytes", "What they take, roughly.", nil, false},
	{"verimaild_cache_contradictions_total", "Facts about domains that were found wrong.", nil, true},

	{"verimaild_store_bytes", "What a store takes on disk.", []string{"store"}, false},
	{"verimaild_store_full", "1 while a store refuses writes for want of room.", []string{"store"}, false},
	{"verimaild_store_waiting_bytes", "What waits to be written.", []string{"store"}, false},
	{"verimaild_store_written_total", "Writes and deletions.", []string{"store"}, true},
	{"verimaild_store_commits_total", "Transactions that they took.", []string{"store"}, true},
	{"verimaild_store_failed_total", "Writes that failed or were dropped.", []string{"store"}, true},
	{"verimaild_store_damaged_total", "Reads that met a damaged block.", []string{"store"}, true},
}

func newGatherer(d *Daemon) *gatherer {
	g := &gatherer{d: d, descs: map[string]*prometheus.Desc{}}
	for _, f := range families {
		g.descs[f.name] = prometheus.NewDesc(f.name, f.help, f.labels, nil)
	}
	return g
}

// Describe lists what Collect reports.
func (g *gatherer) Describe(ch chan<- *prometheus.Desc) {
	for _, f := range families {
		ch <- g.descs[f.name]
	}
}

// A report sends values of one scrape.
type report struct {
	*gatherer
	ch chan<- prometheus.Metric
}

// Collect reports everything.
func (g *gatherer) Collect(ch chan<- prometheus.Metric) {
	r := report{g, ch}
	r.daemon()
	r.applications()
	r.requests()
	r.pool()
	r.sites()
	r.jobs()
	r.feedback()
	if g.d.cache != nil {
		st := g.d.cache.Stats()
		r.cache(&st)
		r.store("cache", &st.Store)
	}
	st := g.d.stores.State().Stats()
	r.store("state", &st)
}

// value reports one value.
func (r *report) value(name string, v float64, labels ...string) {
	kind := prometheus.GaugeValue
	for i := range families {
		if families[i].name == name && families[i].counter {
			kind = prometheus.CounterValue
		}
	}
	r.ch <- prometheus.MustNewConstMetric(r.descs[name], kind, v, labels...)
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (r *report) daemon() {
	v := Version()
	r.value("verimaild_build_info", 1, v.Version, v.Go)
	r.value("verimaild_start_time_seconds", float64(r.d.started.UnixMilli())/1e3)
	ready, _ := r.d.ready()
	r.value("verimaild_ready", oneIf(ready))
}

func (r *report) applications() {
	for _, t := range r.d.accounts.Totals() {
		r.value("verimaild_api_answers_total", float64(t.Count), t.App, string(t.Reason.Verdict()), string(t.Reason), strconv.FormatBool(t.Cached))
	}
	for _, u := range r.d.accounts.Standing() {
		r.value("verimaild_api_refused_total", float64(u.Refused), u.App)
		for _, q := range u.Quotas {
			r.value("verimaild_api_quota_limit", float64(q.Limit), u.App, q.Name)
			r.value("verimaild_api_quota_used", float64(q.Used), u.App, q.Name)
		}
	}
}

func (r *report) feedback() {
	if r.d.ledger == nil {
		return
	}
	st := r.d.ledger.Stats()
	for i := range st.Providers {
		p := &st.Providers[i]
		r.value("verimaild_feedback_deliverable", float64(p.Delivered), cmp.Or(p.Provider, "none"), "delivered")
		r.value("verimaild_feedback_deliverable", float64(p.Bounced), cmp.Or(p.Provider, "none"), "bounced")
	}
	for _, a := range st.Apps {
		for effect, n := range a.Effects {
			r.value("verimaild_feedback_reports_total", float64(n), a.Name, string(effect))
		}
	}
}

func (r *report) requests() {
	for _, n := range r.d.api.Requests() {
		r.value("verimaild_api_requests_total", float64(n.Count), n.Route, n.Status)
	}
	st := r.d.api.Stats()
	r.value("verimaild_api_connections", float64(st.Connections))
	r.value("verimaild_api_connections_refused_total", float64(st.ConnectionsRefused))
	r.value("verimaild_api_streams", float64(st.Streams))
	r.value("verimaild_api_spool_bytes", float64(st.Spooled))
}

func (r *report) pool() {
	st := r.d.PoolStats()
	for name, n := range map[string]int64{
		"dials": st.Dials, "dials_failed": st.DialsFailed, "sessions": st.SessionsOpened, "transactions": st.Transactions,
		"recipients": st.Recipients, "refusals": st.Refusals, "dropped": st.Dropped,
	} {
		r.value("verimaild_pool_"+name+"_total", float64(n))
	}
	r.value("verimaild_pool_sessions", float64(st.SessionsIdle), "idle")
	r.value("verimaild_pool_sessions", float64(st.SessionsOpen-st.SessionsIdle), "busy")
	r.value("verimaild_pool_waiting", float64(st.Waiting))
	r.value("verimaild_pool_sites", float64(st.Sites))
	for _, s := range st.Sources {
		r.value("verimaild_pool_source_sessions", float64(s.Sessions), s.Name)
		r.value("verimaild_pool_source_suspended", oneIf(s.SuspendedUntil.After(time.Now())), s.Name)
	}
}

// allSites is more sites than there are.
const allSites = 1 << 30

func (r *report) sites() {
	paths := map[string]int{"closed": 0, "slow": 0, "open": 0, "testing": 0}
	spent := map[string]int{"refusals": 0, "controls": 0}
	refused := false
	if e := r.d.egress(); e != nil {
		now := time.Now()
		picture := e.Egress("", allSites)
		refused = picture.Sender.State == "open"
		for i := range picture.Sites {
			tallySite(&picture.Sites[i], now, paths, spent)
		}
	}
	r.value("verimaild_pool_sender_refused", oneIf(refused))
	for state, n := range paths {
		r.value("verimaild_pool_paths", float64(n), state)
	}
	for budget, n := range spent {
		r.value("verimaild_pool_budgets_spent", float64(n), budget)
	}
}

// tallySite counts the paths of a site by their breakers, and its budgets that are spent.
func tallySite(s *pool.SiteEgress, now time.Time, paths, spent map[string]int) {
	for _, pa := range s.Paths {
		paths[pa.State]++
	}
	for _, a := range s.Accounts {
		if a.Dead.RoomAt.After(now) {
			spent["refusals"]++
		}
		if a.Controls.RoomAt.After(now) {
			spent["controls"]++
		}
	}
}

func (r *report) jobs() {
	states := map[bulk.State]int{
		bulk.Preparing: 0, bulk.Running: 0, bulk.Paused: 0, bulk.Finished: 0, bulk.Cancelled: 0, bulk.Failed: 0, bulk.Deleting: 0,
	}
	var done, left, waiting int64
	list := r.d.jobs.List("", "", math.MaxInt)
	for i := range list {
		j := &list[i]
		states[j.State]++
		done += j.Counts.Done
		if !j.State.Ended() {
			left += j.Left()
			waiting += j.Counts.Waiting
		}
	}
	for state, n := range states {
		r.value("verimaild_bulk_jobs", float64(n), string(state))
	}
	r.value("verimaild_bulk_rows", float64(done), "done")
	r.value("verimaild_bulk_rows", float64(left), "left")
	r.value("verimaild_bulk_rows", float64(waiting), "waiting")
}

func (r *report) cache(st *cache.Stats) {
	for _, k := range st.Kinds {
		r.value("verimaild_cache_lookups_total", float64(k.Memory), k.Kind, "memory")
		r.value("verimaild_cache_lookups_total", float64(k.Disk), k.Kind, "disk")
		r.value("verimaild_cache_lookups_total", float64(k.Misses), k.Kind, "none")
		r.value("verimaild_cache_stale_total", float64(k.Stale), k.Kind)
	}
	r.value("verimaild_cache_entries", float64(st.Entries))
	r.value("verimaild_cache_bytes", float64(st.Bytes))
	r.value("verimaild_cache_contradictions_total", float64(st.Contradictions))
}

func (r *report) store(name string, st *store.Stats) {
	r.value("verimaild_store_bytes", float64(st.Disk), name)
	r.value("verimaild_store_full", oneIf(st.Full), name)
	r.value("verimaild_store_waiting_bytes", float64(st.Waiting), name)
	r.value("verimaild_store_written_total", float64(st.Written), name)
	r.value("verimaild_store_commits_total", float64(st.Commits), name)
	r.value("verimaild_store_failed_total", float64(st.Failed+st.Dropped), name)
	r.value("verimaild_store_damaged_total", float64(st.Damaged), name)
}
