// Package apitype holds the JSON that crosses verimaild's socket: what the daemon writes and the clients read.
//
// Three rules hold for an answer and all that is in it, and for errors. Every field is always present. What is not
// known, not determined or does not apply is null, never "" or 0; in Go it is the zero value (a nil *bool, a zero
// time.Time). Times are RFC 3339 in UTC, to the millisecond at most. New fields may be added; none is renamed or
// removed within v1, so that a reader must ignore fields that it does not know.
package apitype
