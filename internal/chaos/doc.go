// Package chaos holds the test of bad days: a daemon of its own process, in a world whose mail and name servers delay,
// reset, flood, half-close, talk nonsense, lie and change their minds, under 32 clients and a list, killed in the middle.
//
// What goes wrong is a plan, and the plan is a function of the seed alone; the run that it meets depends on real time.
// What is held to: no answer against the world's truth, no list without exactly one outcome for each row, no manners
// lost, no budget overspent as the servers count, nothing left behind in goroutines, descriptors and memory, and an
// answer to every question within its time.
//
// Left out of it is what no client could see through, and only that: a server that in good form and order says that the
// living are dead, one that speaks again in the place of its next reply, and one that leaves out a reply and says 421
// in its place.
//
//	go test -race ./internal/chaos                                        # seed 1, a storm of 5 s
//	CHAOS_LENGTH=60s CHAOS_SEED=7 CHAOS_RUNS=3 go test -race -v ./internal/chaos   # the seeds 7, 8 and 9
package chaos
