# make build   bin/hardstand (with the guest binary inside)
# make demo    the tutorial, on a server of its own, until Ctrl-C
# make test    all tests; suites that cannot run here are listed at the end
# make lint    vet, staticcheck, formatting, law of imports
# make e2e     stock clients (aws CLI, boto3, SDK v2) against a running server; whole fleets; a server killed 100 times
# make bench   benchmarks; results belong in docs/performance.md
# make fuzz    every fuzz target, FUZZTIME each
# make generate  API tables from botocore, reference docs from the tables
SHELL := /bin/bash
GO ?= go
FUZZTIME ?= 10s
GOFILES := $(shell find cmd internal -name '*.go' 2>/dev/null)

export CGO_ENABLED := 0

.PHONY: build demo test lint e2e bench fuzz generate agent clean check-go

build: check-go bin/hardstand

check-go:
	@scripts/check-go.sh "$(GO)"

cmd/hardstand/guestbin/hardstand-guest: $(GOFILES) go.mod go.sum
	$(GO) build -tags nethttpomithttp2 -trimpath -ldflags '-s -w' -o $@ ./cmd/hardstand-guest

bin/hardstand: cmd/hardstand/guestbin/hardstand-guest $(GOFILES) go.mod go.sum
	$(GO) build -trimpath -ldflags '-s -w' -o $@ ./cmd/hardstand

demo: build
	@scripts/demo.sh

test: build
	@scripts/test.sh

lint: check-go cmd/hardstand/guestbin/hardstand-guest
	@test -z "$$(gofmt -l cmd internal test)" || { gofmt -l cmd internal test; echo 'gofmt: files above are not formatted'; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags e2e ./test/script
	$(GO) tool staticcheck ./...
	$(GO) test -count=1 ./internal/architecture/

e2e: build
	@scripts/e2e.sh
	$(GO) test -tags e2e -count=1 -timeout 15m -run TestFleets ./test/script
	@scripts/crash.sh

bench: build
	@bench/run.sh

fuzz: check-go
	@scripts/fuzz.sh $(FUZZTIME)

generate:
	$(GO) run ./internal/awsgen
	$(GO) run ./cmd/hardstand reference docs/reference

# A `make build` after it has the agent's packages for both in its buckets.
agent:
	for arch in amd64 arm64; do \
		GOARCH=$$arch $(GO) build -tags nethttpomithttp2 -trimpath -ldflags '-s -w' -o bin/hardstand-guest-$$arch ./cmd/hardstand-guest && \
		cp bin/hardstand-guest-$$arch cmd/hardstand/guestbin/ || exit 1; \
	done

clean:
	rm -rf bin cmd/hardstand/guestbin/hardstand-guest*
