package daemon

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// metrics are the numbers for Prometheus that are counted as things happen; what other parts count themselves is asked
// of them at a scrape, by a gatherer. Labels come from closed sets: reasons, providers, sources, applications, never an
// address, a domain or a mail host.
type metrics struct {
	registry *prometheus.Registry

	whole  *prometheus.HistogramVec // By cached.
	lookup prometheus.Histogram
	phases [4]prometheus.Histogram // By pool.Phase.

	lookups *prometheus.CounterVec // By status.
	replies *prometheus.CounterVec // By provider and class.
}

// Buckets, in seconds: what memory answers in microseconds, and what waits for a tarpit.
var (
	wholeBuckets = []float64{.00001, .0001, .001, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600}
	waitBuckets  = []float64{.001, .005, .01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300}
)

func newMetrics() *metrics {
	histogram := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: waitBuckets})
	}
	m := &metrics{
		registry: prometheus.NewRegistry(),
		whole: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "verimaild_verify_seconds", Help: "How long answers took, from the question on.", Buckets: wholeBuckets,
		}, []string{"cached"}),
		lookup: histogram("verimaild_maildns_lookup_seconds", "How long look-ups of a domain's mail hosts took."),
		phases: [...]prometheus.Histogram{
			pool.PhaseQueue:    histogram("verimaild_pool_queue_seconds", "How long recipients waited until they were asked about."),
			pool.PhaseConnect:  histogram("verimaild_pool_connect_seconds", "How long connecting to a mail host took, where it succeeded."),
			pool.PhaseGreeting: histogram("verimaild_pool_greeting_seconds", "How long the opening of a session took: greeting, EHLO, TLS."),
			pool.PhaseReply:    histogram("verimaild_pool_reply_seconds", "How long mail hosts took to reply to RCPT."),
		},
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "verimaild_maildns_lookups_total", Help: "Look-ups of a domain's mail hosts, by what came of them.",
		}, []string{"status"}),
		replies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "verimaild_pool_replies_total", Help: "Replies to RCPT, by provider and by what they were read as.",
		}, []string{"provider", "class"}),
	}
	m.registry.MustRegister(m.whole, m.lookup, m.lookups, m.replies,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, h := range m.phases {
		m.registry.MustRegister(h)
	}
	return m
}

// Took is told by the pool how long a phase took.
func (m *metrics) Took(p pool.Phase, d time.Duration) { m.phases[p].Observe(d.Seconds()) }

// Replied is told by the pool how a reply was read.
func (m *metrics) Replied(provider string, class reply.Class) {
	if provider == "" {
		provider = "none"
	}
	m.replies.WithLabelValues(provider, string(class)).Inc()
}

// looked is told by the resolver of a look-up.
func (m *metrics) looked(status maildns.Status, took time.Duration) {
	m.lookup.Observe(took.Seconds())
	m.lookups.WithLabelValues(string(status)).Inc()
}

// answered is told by the accounts of an answer.
func (m *metrics) answered(ans *verdict.Answer) {
	m.whole.WithLabelValues(strconv.FormatBool(ans.Cached)).Observe(ans.Took.Seconds())
}
