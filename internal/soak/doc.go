// Package soak holds tests that let the daemon live for a long time and look at what becomes of it.
//
// TestTenDays lives through ten days on the virtual clock of testing/synctest, from the verifier down to the mail
// servers, with restarts and kills, and counts on the way as the servers do. TestTenMinutes has a daemon of its own
// process work for ten real minutes, and watches its memory, goroutines, descriptors, threads and databases:
//
//	SOAK=10m go test -run TestTenMinutes -timeout 30m ./internal/soak -args -write
//
// Without SOAK it is skipped. With -write, both put what they have seen into docs/soak.md.
package soak
