# pullcause tells why a Kubernetes node cannot pull images. `make` lists the targets.

BIN      := $(CURDIR)/bin
# --abbrev: else the length follows the number of objects in the clone, and the image's digest with it.
VERSION  ?= $(shell git describe --tags --always --dirty --abbrev=12 2>/dev/null || echo devel)
COMMIT   ?= $(shell git rev-parse HEAD 2>/dev/null)
LDFLAGS  := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
GOBUILD  := CGO_ENABLED=0 go build -trimpath -ldflags "$(LDFLAGS)"
FUZZTIME ?= 60s
TORTURE  ?= 60s
# The lab and what uses it are modules of their own: their dependencies never reach the agent.
MODULES  := . $(patsubst %/go.mod,%,$(wildcard test/*/go.mod))
eachmodule = set -e; for m in $(MODULES); do echo "$(1)  ($$m)"; (cd $$m && $(1)); done

# Tools, built once into ./bin through the Go module proxy.
GOLANGCI := $(BIN)/golangci-lint-v2.15.0
VULN     := $(BIN)/govulncheck-v1.9.0

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/pullcause
	$(GOBUILD) -o $(BIN)/pullcause ./cmd/pullcause

demo: build ## show it at work: as root with a real containerd, else on the recorded logs of a node (DEMOFLAGS=--once ends by itself, --journal logs to a real journald, as root only)
	@if [ "$$(id -u)" = 0 ] && [ "$$(uname -s)" = Linux ]; then \
	  cd test/lab && go build -o $(BIN)/lab ./cmd/lab && exec $(BIN)/lab demo --bin $(BIN) $(DEMOFLAGS); \
	else echo "Not root on Linux, so no real containerd: playing the recorded logs of a node."; exec $(BIN)/pullcause demo $(DEMOFLAGS); fi

test: ## run all tests that need nothing but Go; lists those that were skipped, as without root
	@go build -o $(BIN)/summary ./test/summary
	go test -json $(TESTFLAGS) ./... | $(BIN)/summary

e2e: build ## pull with real containerds from registries that fail (root, Linux)
	set -e; for m in $(filter-out .,$(MODULES)); do (cd $$m && go test -count=1 -v -timeout 60m $(E2EFLAGS) ./...); done

chart: ## check the Helm chart and the manifests made of it (CHARTFLAGS=-update makes them)
	cd test/chart && go test -count=1 ./... $(CHARTFLAGS)

image: ## build the image for amd64 and arm64 and an SBOM of each, without a container engine (IMAGEFLAGS=--push=HOST/NAME:TAG)
	cd test/image && go run ./cmd/image build $(IMAGEFLAGS)

release: ## make the files of a release in bin/release, on the commit of a tag (RELEASEFLAGS=--snapshot: on any)
	cd test/image && go run ./cmd/image release $(RELEASEFLAGS)

lint: $(GOLANGCI) ## check format and code
	$(call eachmodule,$(GOLANGCI) run ./...)

fmt: $(GOLANGCI) ## format the code
	$(call eachmodule,$(GOLANGCI) fmt ./...)

vet: ## go vet
	$(call eachmodule,go vet ./...)

vuln: $(VULN) ## look for known vulnerabilities, where their database can be reached
	@out=$$($(VULN) ./... 2>&1); rc=$$?; echo "$$out"; case "$$out" in \
	  *"fetching vulnerabilities"*) echo "govulncheck: the database cannot be reached from here: nothing was checked";; *) exit $$rc;; esac

# Before Go 1.27 a target may fail, without an input, as its time ends (golang/go#75804): only that is let pass.
fuzz: ## run each fuzz target for FUZZTIME (60s)
	@set -e; log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	for p in $$(go list ./...); do for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
	  echo "$$p $$f"; rc=0; go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p >"$$log" 2>&1 || rc=$$?; \
	  cat "$$log"; [ $$rc = 0 ] || grep -A1 '^--- FAIL' "$$log" | grep -qx '    context deadline exceeded'; done; done

bench: build ## measure cost and speed, beside ripgrep on the same log (BENCHFLAGS=-short takes less)
	go run ./test/bench -agent $(BIN)/pullcause $(BENCHFLAGS)

torture: ## rotate logs and kill the agent at random for TORTURE (60s), attack it by size
	PULLCAUSE_TORTURE=$(TORTURE) PULLCAUSE_TORTURE_ATTACKS=10 go test -count=1 -v -timeout 60m ./test/torture

ci: lint vet vuln ## all of it, the long ones in short; CI runs this
	$(MAKE) test TESTFLAGS=-race
	$(MAKE) fuzz FUZZTIME=5s
	$(MAKE) e2e
	$(MAKE) bench BENCHFLAGS=-short
	$(MAKE) release RELEASEFLAGS=--snapshot

$(BIN)/golangci-lint-%:
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$* && mv $(BIN)/golangci-lint $@
$(BIN)/govulncheck-%:
	GOBIN=$(BIN) go install golang.org/x/vuln/cmd/govulncheck@$* && mv $(BIN)/govulncheck $@

.PHONY: help build demo test e2e chart image release lint fmt vet vuln fuzz bench torture ci
