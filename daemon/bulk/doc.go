// Package bulk runs persisted jobs to the end: a list in, the same list out, whatever happens between.
//
// A job is accepted by [Jobs.Create] once its list is on disk. Its runner then prepares it (duplicates together,
// domains side by side, by an external sort), asks about its rows through a [Verifier] with a bounded number of them in
// flight, and writes each outcome to the durable store. docs/adr/0013-bulk-jobs.md tells how the parts work together,
// who owns which goroutine, and what is lost when something fails.
package bulk
