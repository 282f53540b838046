// Package verify takes an address to a verdict with its evidence; it owns what is in flight.
package verify
