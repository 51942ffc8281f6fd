# A CI system may start make without HOME, where Go and test/setup keep what they build.
ifeq ($(HOME),)
export PHIGATE_CACHE ?= /var/cache/phigate
export GOPATH ?= $(PHIGATE_CACHE)/go
export GOCACHE ?= $(PHIGATE_CACHE)/go-build
endif
# runc is in /usr/sbin, which a bare environment leaves out.
export PATH := $(PATH):/usr/local/go/bin:/usr/sbin:/sbin
# Static binaries that run on any node; nothing here needs a C compiler.
export CGO_ENABLED := 0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
GO := go
FOLDERS := $(wildcard policy plugin hooks deploy test)
# What starts a real containerd: one after the other, and never from the test cache.
REAL = ./test/node/... ./test/e2e/... ./test/faults/... ./test/readme/...

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup build test test-matrix soak vet unit e2e demo bench-create bench-scan bench-audit soak-audit attacks quality quality-benign fuzz fuzz-nightly verify fmt clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

setup: ## install runc and busybox and build containerd for the tests, where missing (root)
	@./test/setup

build: ## bin/phigate, bin/phigated, bin/phigate-runc and bin/phigate-hook, static
	@$(GO) build -buildvcs=false -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/ ./plugin/cmd/... ./hooks/cmd/...

test: setup vet unit e2e ## everything that must hold: vet, unit, architecture, CLI and end-to-end tests (root)

vet: ## gofmt and go vet
	@unformatted=$$(gofmt -l $(FOLDERS)); \
	if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:" $$unformatted >&2; exit 1; fi
	@$(GO) vet ./...
	@$(GO) -C test/podsecurity/convert vet ./...

unit: ## the tests that need no containerd, architecture and CLI scripts included
	@$(GO) test -timeout 15m $$($(GO) list ./... | grep -v -e /test/node -e /test/e2e -e /test/faults -e /test/readme)

e2e: setup build ## the tests against a real containerd and runc (root)
	@$(GO) test -count 1 -p 1 -timeout 30m $(REAL)

# Each is built from its own module, test/node/containerd-<version>.
MATRIX ?= 1.7.35 2.2.9 2.4.2
test-matrix: build ## the end-to-end tests on every supported containerd, without the long ones (root); MATRIX='1.7.35'
	@./test/setup $(MATRIX)
	@for version in $(MATRIX); do \
		echo "== containerd $$version"; \
		PHIGATE_CONTAINERD_VERSION=$$version $(GO) test -short -count 1 -p 1 -timeout 40m ./test/node/... ./test/e2e/... ./test/faults/... || exit 1; \
	done

# A run can be repeated with the seed that it names; ARGS='-faults 100 -seed 7 -tally FILE'.
soak: setup ## 1,000 random faults while containers are created without end (root, an hour or two); ARGS='-faults 100'
	@$(GO) test -count 1 -timeout 12h -v -run '^TestSoak$$' ./test/faults -args -faults 1000 -recovery 2s $(ARGS)

demo: setup build ## show the gate at work on a private containerd, then clean up (root)
	@$(GO) run -buildvcs=false ./test/demo

bench-create: setup build ## what the gate costs a container's creation, start, ctr run and pull (root); ARGS='-n 20 -ctr 20 -pulls 1'
	@$(GO) run -buildvcs=false ./test/bench $(ARGS)

bench-scan: build ## what a scan costs beside cat, ripgrep and gitleaks (root); ARGS='-n 5'
	@$(GO) run -buildvcs=false ./test/scanbench $(ARGS)

bench-audit: ## what a durable decision costs beside the disk's own fdatasync and beside a hung journald, and how fast the log verifies; ARGS='-dir DIR -n 400'
	@$(GO) run -buildvcs=false ./test/auditbench $(ARGS)

soak-audit: ## the log under 10,000 kills, 2,000 power cuts, and every byte with every value; says how far it is, and in its last line what came of it (half an hour)
	@PHIGATE_SOAK=1 $(GO) test -count 1 -timeout 6h -v -run 'Killed|Power|EveryByte|Examiner|WholeRecords' ./plugin/audit

attacks: ## the same attacks on sealed journal files, an auditd-style file, a hash chain and this log: deploy/ATTACKS.md (root); ARGS=-update
	@$(GO) test -count 1 -v -run '^TestAttacks$$' ./test/attacks -args $(ARGS)

quality: ## recall, precision and estimates of people over the labelled corpus; ARGS='-corpus DIR'
	@$(GO) run -buildvcs=false ./test/quality $(ARGS)

# Trees without patients that every development machine has: over 200,000 files.
BENIGN ?= $(shell $(GO) env GOMODCACHE) $(shell $(GO) env GOROOT) /usr
quality-benign: ## what is found in this machine's own files, per 100,000; ARGS=-list, BENIGN=FOLDERS
	@$(GO) run -buildvcs=false ./test/quality $(ARGS) $(BENIGN)

FUZZTIME ?= 60s
FUZZPACKAGES ?= ./policy/... ./plugin/... ./hooks/...
FUZZPARALLEL ?= 2
# A failure is made small with a few tries only: its input is kept in testdata either way. Where the
# time is up while an input is sent to a worker, go test calls that a failure, "context deadline exceeded".
fuzz: ## run every fuzz test for FUZZTIME (60s), one after the other; FUZZPACKAGES=./policy/... FUZZPARALLEL=1
	@failed=; count=0; out=$$(mktemp); trap 'rm -f "$$out"' EXIT; \
	for package in $$($(GO) list $(FUZZPACKAGES)); do \
		for name in $$($(GO) test -list '^Fuzz' "$$package" | grep '^Fuzz'); do \
			count=$$((count + 1)); verdict=ok; \
			$(GO) test -run '^$$' -fuzz "^$$name$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x -parallel $(FUZZPARALLEL) "$$package" >"$$out" 2>&1 || \
				{ grep -q '^ *context deadline exceeded$$' "$$out" && ! grep -q 'Failing input' "$$out"; } || verdict=FAILED; \
			execs=$$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' "$$out" | tail -n 1); \
			printf '%-6s %9s runs  %s %s\n' "$$verdict" "$${execs:-0}" "$${package##*phigate/}" "$$name"; \
			if [ "$$verdict" = FAILED ]; then cat "$$out"; failed="$$failed $$name"; fi; \
		done; \
	done; \
	echo "$$count fuzz tests of $(FUZZTIME) each, failed:$${failed:- none}"; [ -z "$$failed" ]

fuzz-nightly: ## run every fuzz test for an hour
	@$(MAKE) fuzz FUZZTIME=1h

verify: ## fail when generated files or go.mod are not up to date
	@state() { git diff HEAD; git ls-files --others --exclude-standard; }; \
	before=$$(state | sha256sum); $(GO) generate ./...; after=$$(state | sha256sum); \
	if [ "$$before" != "$$after" ]; then git status --short >&2; echo "generated files were out of date: commit what go generate made" >&2; exit 1; fi
	@$(GO) mod tidy -diff

fmt: ## format the Go code
	@gofmt -w $(FOLDERS)

clean: ## remove what build made; the cache of test/setup stays
	@rm -rf bin
