# Everything here needs only Go and the module proxy, but for interop, unit and boot, which need Debian packages.
TOOL = go tool -modfile=tools.mod
FUZZTIME ?= 20s

.PHONY: build test race fuzz bench lint fmt check cover interop unit boot dist install generate mutation

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

unit: ## The systemd units, by systemd-analyze.
	systemd/verify.sh

dist: ## Packages for amd64 and arm64, SBOMs and checksums in dist/.
	packaging/build dist

install: ## Without a package: program, units and a first configuration, below DESTDIR. Build first; then as root.
	install -D -m 755 verimaild $(DESTDIR)/usr/bin/verimaild
	install -D -m 644 -t $(DESTDIR)/usr/lib/systemd/system systemd/verimaild.service systemd/verimaild.socket
	install -D -m 644 systemd/verimaild.sysusers.conf $(DESTDIR)/usr/lib/sysusers.d/verimaild.conf
	install -D -m 644 systemd/verimaild.tmpfiles.conf $(DESTDIR)/usr/lib/tmpfiles.d/verimaild.conf
	test -e $(DESTDIR)/etc/verimaild/verimaild.yaml || install -D -m 644 verimaild.yaml $(DESTDIR)/etc/verimaild/verimaild.yaml
	test -n "$(DESTDIR)" || { systemd-sysusers verimaild.conf; systemd-tmpfiles --create verimaild.conf; systemctl daemon-reload; }

boot: ## The package in a Debian of its own, booted by systemd-nspawn; as root.
	.ci/nspawn

check: lint race ## What CI runs, but for fuzzing and interop.

mutation: ## A test has to notice each condition that is changed: all of the judgement's, and 85 of 100 elsewhere. An hour.
	.ci/mutation
