// Package verify takes an address to a verdict with its evidence; it owns what is in flight.
//
// An address goes through syntax, lists, DNS and the probe of its mail host, as far as its depth asks, and what
// was found is judged by one pure function. Identical questions share one flight, which outlives the caller who
// asked first: what was begun is finished for the next one.
package verify
