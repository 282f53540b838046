package api

import (
	"cmp"
	"slices"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/daemon/bulk"
	"github.com/verimails/verimaild/daemon/bulk/table"
	"github.com/verimails/verimaild/verify/verdict"
)

// wireJob is a job as the client gets it.
func wireJob(i *bulk.Info) apitype.Job {
	out := apitype.Job{
		ID: i.ID, App: i.App, Name: i.Name, State: string(i.State), Problem: i.Problem,
		List: apitype.JobList{
			Format: string(i.Layout.Format), Description: i.Layout.String(), Column: columnOf(&i.Layout), Bytes: i.Bytes,
		},
		Rows: i.Rows, Addresses: i.Addresses, Domains: i.Domains,
		Done: i.Counts.Done, Bad: i.Counts.Bad, Waiting: i.Counts.Waiting, AcceptAll: i.Counts.CatchAll,
		Verdicts: wireTally(i.Counts.Verdicts()), Reasons: []apitype.JobReason{}, Providers: []apitype.JobProvider{},
		Progress: wireLive(&i.Live), Bounces: []apitype.JobBounce{}, Method: i.Method, Worst: []apitype.JobDomain{},
		Patience: i.Patience.String(), RerunOf: i.Parent, Took: wireVerdicts(i.Of),
		CreatedAt: i.Created, StartedAt: i.Started, EndedAt: i.Ended, ExpiresAt: i.Expires,
	}
	if i.TimeLimit > 0 {
		out.TimeLimit = i.TimeLimit.String()
	}
	for r, n := range i.Counts.Reasons {
		out.Reasons = append(out.Reasons, apitype.JobReason{Reason: string(r), Verdict: string(r.Verdict()), Rows: n})
	}
	slices.SortFunc(out.Reasons, func(a, b apitype.JobReason) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Reason, b.Reason))
	})
	for p, t := range i.Counts.Providers {
		out.Providers = append(out.Providers, apitype.JobProvider{Provider: p, Verdicts: wireTally(t)})
	}
	slices.SortFunc(out.Providers, func(a, b apitype.JobProvider) int {
		return cmp.Or(cmp.Compare(b.Verdicts.Sum(), a.Verdicts.Sum()), cmp.Compare(a.Provider, b.Provider))
	})
	for _, b := range i.Bounces {
		out.Bounces = append(out.Bounces, apitype.JobBounce{
			Drop: wireVerdicts(b.Drop), Rows: b.Rows, Low: b.Share.Low, Likely: b.Share.Likely, High: b.Share.High,
		})
	}
	if i.Summary != nil {
		for _, d := range i.Summary.Worst {
			out.Worst = append(out.Worst, apitype.JobDomain(d))
		}
	}
	out.Webhook = wireWebhook(i)
	return out
}

func wireWebhook(i *bulk.Info) *apitype.JobWebhook {
	if i.Webhook == "" {
		return nil
	}
	out := &apitype.JobWebhook{URL: i.Webhook}
	if d := i.Delivery; d != nil {
		out.Tries, out.DeliveredAt, out.NextAt, out.Problem = int64(d.Tries), d.Delivered, d.Next, d.Problem
	}
	return out
}

func wireLive(l *bulk.Live) apitype.JobProgress {
	out := apitype.JobProgress{
		InFlight: int64(l.InFlight), Rate: l.Rate, OnHold: l.Waiting, Sites: int64(l.Sites), Holds: []apitype.JobHold{},
		NextRetryAt: l.NextRetry,
	}
	if l.Left.Known {
		s := int64(l.Left.Seconds())
		out.LeftS = &s
	}
	for _, h := range l.Standing {
		out.Holds = append(out.Holds, apitype.JobHold{
			Site: h.Site, Source: h.Source, Limit: string(h.Limit), Rows: h.Rows, Until: ceilSecond(h.Until).UTC(), Reason: string(h.Reason), Why: h.Why,
		})
	}
	return out
}

func wireTally(t bulk.Tally) apitype.VerdictCounts {
	return apitype.VerdictCounts{
		Deliverable: t.Of(verdict.Deliverable), Risky: t.Of(verdict.Risky),
		Undeliverable: t.Of(verdict.Undeliverable), Unknown: t.Of(verdict.Unknown),
	}
}

func wireVerdicts(vs []verdict.Verdict) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = string(v)
	}
	return out
}

func columnOf(l *table.Layout) string {
	if l.Column < 0 || l.Column >= len(l.Columns) {
		return ""
	}
	return l.Columns[l.Column]
}
