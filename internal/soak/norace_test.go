//go:build !race

package soak

// raced says that the race detector slows everything down.
const raced = false
