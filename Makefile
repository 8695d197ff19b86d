# Ten verbs; "make help" says what they do. CI calls the same ones.
GO      ?= go
# The toolchain that go.mod names, also where another is set: the standard library's
# known vulnerabilities are mended in it. Go fetches it as it fetches modules.
export GOTOOLCHAIN := $(shell sed -n 's/^toolchain //p' go.mod)
DATA    ?= data/demo
FUZZ    ?= 5m
BIN     := bin

.DEFAULT_GOAL := help
.PHONY: run test check fuzz bench web gen fmt release help build soak need tests rooms whole fuzzers early late inputs

## run: build and start Ardesia with sample data, and print what to open
run: build
	$(BIN)/ardesia serve --dev --demo --data $(DATA)

# SQLite as Go and hashing keep their memory to themselves, and watching it for races took
# half of the tests' time. What has goroutines of its own must be watched: what it does before would not be seen.
UNWATCHED := -gcflags='github.com/ncruces/go-sqlite3-wasm/...=-race=false' -gcflags='golang.org/x/crypto/...=-race=false'

# Where there is much memory, the compiler, what checks and what is tested collect theirs a quarter as often, which saves a
# sixth to a quarter of their processor's time.
test check: export GOGC := $(or $(GOGC),$(shell awk '/^MemAvailable/ { print ($$2 > 8000000) ? 400 : 100 }' /proc/meminfo))

# What check has built and vetted, as it is released, without C, is not built and vetted again: -vet=off, and no C
# but where something needs it.
## test: everything, what takes longest first; installs the programs it drives
test:
	$(MAKE) --no-print-directory -j2 need check
	scripts/inmemory $(MAKE) --no-print-directory tests

tests:
	$(MAKE) --no-print-directory -j3 rooms whole fuzzers
	$(MAKE) --no-print-directory -j3 early late inputs
	$(GO) test -tags pkcs11 -count=1 -timeout 5m ./sdk/element/...

# Where goroutines share memory, every run watches for races. Who uses those rooms, as people, programs and mishaps do, and what is
# made of many libraries, soak watches: that takes three times the processor, and all libraries compiled once more. What
# takes longest goes first.
WATCHED = $$($(GO) list ./internal/base/... ./internal/fleet/... ./internal/firmware/... ./sdk/... | grep -v /base/sqlite$$)
OTHERS = $$($(GO) list ./... | grep -vxF "$(WATCHED)" | grep -v '/test/web$$\|/internal/archtest$$')
rooms:
	$(GO) test -race $(UNWATCHED) -vet=off -count=1 -timeout 15m -p 3 ./internal/fleet/series $(WATCHED)
whole:
	CGO_ENABLED=0 $(GO) test -vet=off -count=1 -timeout 15m -p 4 ./test/house ./internal/people/signin ./internal/server ./test/fault $(OTHERS)

# A browser does one thing after the other: two halves of the pages' tests, by their names' first letters, have one each.
early: half := A-P
late: half := Q-Z
early late:
	CGO_ENABLED=0 $(GO) test -vet=off -count=1 -timeout 15m -run '^Test[$(half)]' ./test/web

# Fuzzing takes what the others leave: its programs are built beside the rooms, and run beside the browsers, which wait much.
fuzzers inputs: programs = $${TMPDIR:-$(CURDIR)/$(BIN)}/fuzz
fuzzers:
	CGO_ENABLED=0 OURS=yes nice -n 19 scripts/fuzz build "$(programs)"
inputs:
	PROGRAMS="$(programs)" JOBS=$$(($$(nproc) * 6)) nice -n 19 scripts/fuzz 10s

## soak: what takes too long for test (200 kills, hours of traffic, the whole house watched for races)
soak: need
	ARDESIA_SOAK=1 $(GO) test -count=1 -timeout 3h ./...
	scripts/inmemory $(GO) test -race $(UNWATCHED) -count=1 -timeout 1h $(OTHERS)

## check: formatting, go.mod, vet, staticcheck, known vulnerabilities, the plan of the house
check: export CGO_ENABLED := 0
check:
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo "not formatted:"; gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) mod tidy -diff
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	scripts/vulncheck
	$(GO) test ./internal/archtest

## fuzz: every fuzz target for FUZZ (default 5m) each; "scripts/fuzz keep" then keeps what was found
fuzz:
	scripts/fuzz $(FUZZ)

## bench: measure side by side with Mosquitto and print ratios (about 15 minutes; BENCH has further flags)
bench: need build
	$(GO) run ./internal/bench -profile $(BIN)/profile $(BENCH)

## web: build the web application anew, and check its types, its texts and what it is made of
web: need
	$(GO) generate ./web
	$(GO) test -count=1 ./web/...

## gen: everything that is generated from sources in this tree
gen:
	$(GO) generate ./...

## fmt: format
fmt:
	gofmt -w $$(git ls-files '*.go')

## release: reproducible binaries for the usual machines, in bin/release
release:
	scripts/release

build:
	@mkdir -p $(BIN)
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN)/ ./cmd/...

# What the tests drive, and the Debian package that has it.
need:
	scripts/need gcc=gcc g++=g++ python3=python3 /usr/include/stdlib.h=libc6-dev '/usr/lib/postgresql/*/bin/initdb=postgresql' \
		mosquitto=mosquitto node=nodejs npm=npm softhsm2-util=softhsm2 openssl=openssl curl=curl jq=jq setpriv=util-linux hydra=hydra oathtool=oathtool chromium=chromium chromium-headless-shell=chromium-headless-shell prometheus=prometheus

## help: this list
help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)
