# The steps of .ci/run, and what else is done often. Nothing here is needed to build:
# `go build -o bin/ ./cmd/...` does it, and the scripts work without make.

GO ?= go
# Where man pages and completions are made.
OUT ?= build
# Of go test: make test TESTFLAGS='-v -run Fuzz'
TESTFLAGS ?=
# Of the scripts: make compare ARGS='--quick --out /tmp/report'
ARGS ?=
# Of install and uninstall; scripts/systemd/install.sh --help says more.
export PREFIX ?= /usr/local
export DESTDIR ?=

.DEFAULT_GOAL := help
.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build producer, consumer and gauge into bin/
	$(GO) build -o bin/ ./cmd/...

.PHONY: test
test: ## run the tests (TESTFLAGS=-v says what was skipped)
	$(GO) test $(TESTFLAGS) ./...

# Not the commands and the scripts, whose tests start them as a user has them, without the detector.
.PHONY: race
race: ## run the tests under the race detector; needs a C compiler
	$(GO) test -race $(TESTFLAGS) $$($(GO) list ./... | grep -vE '/(cmd|scripts)(/|$$)')

# So many inputs, not so much time: at the end of a time go test sometimes fails with
# "context deadline exceeded".
.PHONY: fuzz
fuzz: ## fuzz the header and the packets for a moment
	$(GO) test -run '^$$' -fuzz FuzzHostileHeader -fuzztime 60000x -fuzzminimizetime 10x ./ring
	$(GO) test -run '^$$' -fuzz FuzzPacket -fuzztime 200000x -fuzzminimizetime 10x ./transfer

.PHONY: fmt-check
fmt-check: ## fail where gofmt would change something
	@unformatted=$$(gofmt -l .) && { [ -z "$$unformatted" ] || { echo "not formatted:" $$unformatted >&2; exit 1; }; }

.PHONY: vet
vet: ## go vet, for this machine and for arm64
	$(GO) vet ./...
	GOARCH=arm64 $(GO) vet ./...

.PHONY: lint
lint: ## golangci-lint (.golangci.yml; the first time it is compiled for minutes) and shellcheck
	$(GO) tool -modfile=.ci/tools/go.mod golangci-lint run ./...
	shellcheck .ci/run scripts/*.sh scripts/completion.bash scripts/peers/*.sh scripts/systemd/*.sh \
		scripts/systemd/test/*.sh scripts/systemd/producer-first

.PHONY: man
man: build ## write the manual pages into build/man/man1
	mkdir -p $(OUT)/man/man1
	for c in producer consumer gauge; do bin/$$c --generate-man >$(OUT)/man/man1/$$c.1 || exit; done

.PHONY: completions
completions: ## put the completions into build/, by the names that the shells look for
	for c in producer consumer gauge; do \
		install -D -m 644 scripts/completion.bash $(OUT)/bash-completion/completions/$$c && \
		install -D -m 644 scripts/completion.fish $(OUT)/fish/vendor_completions.d/$$c.fish || exit; \
	done
	install -D -m 644 scripts/completion.zsh $(OUT)/zsh/site-functions/_sluice

.PHONY: install
install: build ## install commands, man pages, completions and units (root, or DESTDIR=DIR)
	scripts/systemd/install.sh

.PHONY: uninstall
uninstall: ## remove what install has put there
	scripts/systemd/uninstall.sh

.PHONY: demo
demo: ## show what back-pressure looks like; 15 seconds
	scripts/demo.sh

.PHONY: compare
compare: ## compare the two modes under the same loads (ARGS=--quick)
	scripts/compare.sh $(ARGS)

.PHONY: storm
storm: ## kill the sides of transfers again and again (ARGS='--kills 1000')
	scripts/storm.sh $(ARGS)

.PHONY: bench
bench: ## measure sluice and what could be taken instead (ARGS=--quick)
	scripts/bench.sh $(ARGS)

.PHONY: systemd-test
systemd-test: ## boot a systemd of its own and run the units in it; needs root
	scripts/systemd/test.sh

.PHONY: ci
ci: ## everything that must hold; installs what is missing on Debian and Ubuntu
	.ci/run

.PHONY: clean
clean: ## remove bin/ and build/
	rm -rf bin build
