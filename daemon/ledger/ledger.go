// Package ledger keeps what became of real mail: it corrects memory by what applications report, and measures how good
// the answer "deliverable" has been, by provider.
//
// What a report means is judged by verify/feedback; here it is put to what is remembered, and counted. The counts are
// durable, a few records a day; the reports themselves are not kept, other than as the evidence of what they changed.
package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/feedback"
	"github.com/verimails/verimaild/verify/verdict"
)

// Options make a Ledger. All but Logger and Now are required.
type Options struct {
	Cache  *cache.Cache // What is corrected.
	Stores *store.Stores

	// Remembered is what is answered from memory for an address just now; "" if nothing is.
	Remembered func(address.Address) verdict.Reason

	Replies func() *reply.Table // The rules in force.

	Logger *zap.Logger      // Nil logs nothing.
	Now    func() time.Time // Nil means time.Now.
}

// A Ledger takes reports. It is safe for concurrent use, and has no goroutine.
type Ledger struct {
	opts    Options
	log     *zap.Logger
	now     func() time.Time
	records *store.Records[counts]

	// judging holds reports apart, so that of two about one address the second sees what the first did. What is done
	// under it waits for no disk to write, and for no network.
	judging sync.Mutex

	flushing chan struct{} // Holds the one token of whoever writes, so that an older count never replaces a newer one.

	mu    sync.Mutex // Guards all below.
	days  map[dayKey]measure
	apps  map[string]tally
	dirty map[string]bool // Keys of records that are not written yet.
}

// New makes a Ledger and reads what was counted before. A record that can't be read is left out, and logged.
func New(opts Options) (*Ledger, error) {
	l := &Ledger{
		opts: opts, log: opts.Logger, now: opts.Now, flushing: make(chan struct{}, 1),
		days: map[dayKey]measure{}, apps: map[string]tally{}, dirty: map[string]bool{},
	}
	if l.log == nil {
		l.log = zap.NewNop()
	}
	if l.now == nil {
		l.now = time.Now
	}
	var err error
	if l.records, err = store.NewRecords(opts.Stores.State(), "feedback/", countsCodec); err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return l, l.load()
}

// A Result is what one report came to.
type Result struct {
	Address  string // Normalized.
	Domain   string // A-labels.
	Provider string // "" if none is known.
	feedback.Judgement
	Reply   smtp.Reply    // The bounce; zero if the report holds none.
	Meaning reply.Meaning // Of Reply.
}

// Take judges one report of an application, corrects memory by it, and counts it; [Ledger.Flush] makes the counts
// durable. The error wraps feedback.ErrReport for a report that makes no sense, which changes nothing; any other is a
// fault of ours.
func (l *Ledger) Take(ctx context.Context, app string, r feedback.Report) (Result, error) {
	if err := r.Check(); err != nil {
		return Result{}, err
	}
	a, err := address.Parse(r.Email)
	if err != nil {
		return Result{}, fmt.Errorf("%w: %w", feedback.ErrReport, err)
	}
	if a.IsLiteral() {
		return Result{}, fmt.Errorf("%w: the address names a host by its IP address; nothing is remembered of such", feedback.ErrReport)
	}
	now := l.now()
	if r.At.IsZero() || r.At.After(now) {
		r.At = now
	}
	r.At = r.At.Round(0).UTC().Truncate(time.Millisecond) // As it is remembered.
	res, forget, err := l.settle(app, a, &r, now)
	if err == nil && forget {
		err = l.opts.Cache.ForgetAddress(ctx, a)
	}
	if err != nil {
		return Result{}, fmt.Errorf("ledger: %w", err)
	}
	l.count(app, &res, now)
	l.note(app, &res)
	return res, nil
}

// settle judges a report by what is remembered, and corrects that. forget says that the address is to be forgotten.
func (l *Ledger) settle(app string, a address.Address, r *feedback.Report, now time.Time) (res Result, forget bool, err error) {
	l.judging.Lock()
	defer l.judging.Unlock()
	mailbox, known := l.opts.Cache.Mailbox(a)
	fact, _ := l.opts.Cache.Domain(a.Domain())
	res = Result{Address: a.String(), Domain: a.Domain().ASCII(), Provider: l.provider(a.Domain(), &mailbox), Reply: r.Reply()}
	if res.Reply.Code != 0 {
		res.Meaning = l.opts.Replies().Classify(smtp.StageRCPT, &res.Reply, res.Provider)
	}
	res.Judgement = feedback.Judge(feedback.Facts{
		App: app, Outcome: r.Outcome, Elsewhere: r.Elsewhere,
		Code: res.Reply.Code, Enhanced: res.Reply.Enhanced, Meaning: res.Meaning, At: r.At, Now: now,
		Mailbox: mailbox, Known: known, Answer: l.opts.Remembered(a),
		Habit: fact.AcceptsAll, Closed: provider.RefusesUnknown(a.Domain().ASCII()),
	})
	if res.Effect == feedback.EffectContested {
		return res, true, nil
	}
	if res.Reason == "" {
		return res, false, nil
	}
	said := evidence(app, &res, r.At)
	if res.Expose { // First: what is stored of the mailbox belongs to the time after.
		err = l.opts.Cache.Exposed(a.Domain(), verdict.DomainFact{
			AcceptsAll: verdict.True, CheckedAt: r.At, Evidence: []verdict.Evidence{said},
		})
		if err != nil {
			return res, false, err
		}
	}
	return res, false, l.opts.Cache.Reported(a, corrected(&mailbox, &res, said))
}

// corrected is what is remembered of a mailbox after a report: what was, with the report behind the dialogues.
func corrected(was *verdict.Mailbox, res *Result, said verdict.Evidence) verdict.Mailbox {
	kept := slices.DeleteFunc(slices.Clone(was.Evidence), func(e verdict.Evidence) bool { return e.Stage == verdict.StageReport })
	return verdict.Mailbox{
		Reason: res.Reason, AcceptAll: verdict.AcceptAllNotTested, ImplicitMX: was.ImplicitMX,
		Provider: res.Provider, MX: was.MX, Evidence: append(kept, said), CheckedAt: said.At,
	}
}

// evidence is a report as evidence.
func evidence(app string, res *Result, at time.Time) verdict.Evidence {
	e := verdict.Evidence{Stage: verdict.StageReport, Source: app, Text: string(feedback.Delivered), At: at}
	if res.Reply.Code != 0 {
		e.Code, e.Enhanced, e.Text = res.Reply.Code, res.Reply.Enhanced.String(), res.Reply.Text()
		e.Class, e.Scope, e.Rule = string(res.Meaning.Class), string(res.Meaning.Scope), res.Meaning.Rule
	}
	return e
}

// provider is whose mail hosts the domain has, as remembered.
func (l *Ledger) provider(d address.Domain, m *verdict.Mailbox) string {
	if m.Provider != "" {
		return m.Provider
	}
	hosts, known := l.opts.Cache.Hosts(d)
	if known == verdict.Missing {
		return ""
	}
	names := make([]string, len(hosts.Hosts))
	for i := range hosts.Hosts {
		names[i] = hosts.Hosts[i].Name
	}
	if p, _ := provider.Match(names); p != nil {
		return p.ID
	}
	return ""
}

// note logs what changes an answer, so that no report does so unseen.
func (l *Ledger) note(app string, res *Result) {
	fields := []zap.Field{
		zap.String("app", app), zap.String("domain", res.Domain), zap.String("says", string(res.Says)), zap.String("effect", string(res.Effect)),
	}
	switch {
	case res.Effect == feedback.EffectContested:
		l.log.Warn("two applications report the opposite of one address: neither is believed", fields...)
	case res.Expose:
		l.log.Warn("a domain accepts recipients that do not exist, as a bounce shows: its acceptances prove nothing", fields...)
	case res.Effect == feedback.EffectCorrected:
		l.log.Info("an answer was corrected by a report", fields...)
	}
}

// Flush waits until all that was counted before is on disk. It may be called concurrently. After an error the counts
// are kept in memory, for the next call.
func (l *Ledger) Flush(ctx context.Context) error {
	select {
	case l.flushing <- struct{}{}:
		defer func() { <-l.flushing }()
	case <-ctx.Done():
		return fmt.Errorf("ledger: %w", context.Cause(ctx))
	}
	var b store.Batch
	written := l.gather(&b)
	if err := l.opts.Stores.State().Commit(ctx, &b); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, key := range written {
			l.dirty[key] = true
		}
		return fmt.Errorf("ledger: write the counts: %w", err)
	}
	return nil
}

// IsReport reports whether err is about a report and not about us.
func IsReport(err error) bool { return errors.Is(err, feedback.ErrReport) }
