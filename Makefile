# Everything here needs only Go and the module proxy, but for interop and unit, which need Debian packages.
TOOL = go tool -modfile=tools.mod
FUZZTIME ?= 20s

.PHONY: build test race fuzz bench lint fmt check cover interop unit generate

build:
	go build -trimpath -o verimaild ./cmd/verimaild

test:
	go test ./...

race:
	go test -race -shuffle=on ./...

fuzz: ## Each fuzz target for FUZZTIME.
	.ci/fuzz $(FUZZTIME)

bench:
	go test -run '^$$' -bench . -benchmem ./...

lint:
	.ci/lint

fmt:
	$(TOOL) gofumpt -w .

generate:
	go generate ./...

cover:
	go test -coverprofile=coverage.out ./... && go tool cover -func=coverage.out | tail -n 1

interop: ## Real mail servers from Debian packages, unpacked into a private root.
	go test -tags interop -count=1 ./internal/interop/...

unit: ## The systemd unit, by systemd-analyze.
	systemd/verify.sh

check: lint race ## What CI runs, but for fuzzing and interop.
