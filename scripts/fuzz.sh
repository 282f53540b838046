#!/bin/sh
# Runs every fuzz target for the given time each (default 10s). A crash leaves its input under testdata/fuzz.
set -eu
cd "$(dirname "$0")/.."
time=${1:-10s}
git grep -lE '^func Fuzz[A-Za-z0-9_]+\(f \*testing\.F\)' -- '*_test.go' | sort | while read -r file; do
	dir=./$(dirname "$file")
	grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed 's/^func //' | while read -r name; do
		printf 'fuzz %s %s\n' "$dir" "$name"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$dir" >"${TMPDIR:-/tmp}/fuzz.$$" 2>&1 || {
			cat "${TMPDIR:-/tmp}/fuzz.$$"
			exit 1
		}
	done
done
rm -f "${TMPDIR:-/tmp}/fuzz.$$"
