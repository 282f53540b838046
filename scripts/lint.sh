#!/bin/sh
# Formatting, vet, staticcheck, errcheck, cognitive complexity, and calls that are banned by directory.
# Needs Go and the module proxy. Prints what is wrong; exits 1 if anything is.
set -u
cd "$(dirname "$0")/.." || exit 1
tool="go tool -modfile=tools.mod"
bad=0

report() { # title, output
	if [ -n "$2" ]; then
		printf '%s:\n%s\n' "$1" "$2"
		bad=1
	fi
}

report 'gofumpt would change' "$($tool gofumpt -l . 2>&1)"
report 'go vet' "$(go vet -tags interop ./... 2>&1 | grep -v '^#')"
report 'go fix would change' "$(go fix -diff ./... 2>&1 | head -n 40)"
report 'staticcheck' "$($tool staticcheck -tags interop -checks all,-ST1000,-ST1003 ./... 2>&1)"
report 'errcheck' "$($tool errcheck -ignoretests -exclude scripts/errcheck.txt ./... 2>&1)"
report 'functions too complex to read (cognitive complexity above 15)' \
	"$($tool gocognit -over 15 -ignore '_test\.go$' . 2>&1)"

banned() { # what, pattern, path patterns to search
	what=$1 pattern=$2
	shift 2
	report "$what" "$(git grep -nE "$pattern" -- "$@" | grep -v '//nolint:' )"
}
banned 'context.Background outside cmd, daemon and tests' 'context\.(Background|TODO)\(' \
	'*.go' ':!cmd' ':!daemon' ':!*_test.go' ':!scripts'
banned 'a test that sleeps outside a synctest bubble says why with //nolint:sleep' 'time\.Sleep\(' \
	'*.go' ':!*_test.go' ':!internal/mailworld'
banned 'init functions' '^func init\(' '*.go'
banned 'exits outside main' '(os\.Exit|log\.Fatal)' '*.go' ':!cmd/verimaild/main.go' ':!*_test.go' ':!scripts'
banned 'global metrics registry' 'promauto\.|prometheus\.MustRegister' '*.go'
banned 'matching error text' 'strings\.Contains\([a-z]*[eE]rr\.Error\(\)' '*.go' ':!*_test.go'

exit $bad
