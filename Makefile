# The steps of .ci/run, and other frequent commands. None of them is needed to build
# (`go build -o bin/ ./cmd/...`), and the scripts work without make.

GO ?= go
# The command that runs tests; .ci/run sets another, which repeats failures at the end.
GOTEST ?= $(GO) test
# Output directory of manual pages and completions.
OUT ?= build
# Flags of go test: make test TESTFLAGS='-v -run Fuzz'
TESTFLAGS ?=
# Arguments of the scripts: make compare ARGS='--quick --out /tmp/report'
ARGS ?=
# For install and uninstall; see scripts/systemd/install.sh --help.
export PREFIX ?= /usr/local
export DESTDIR ?=

.DEFAULT_GOAL := help
.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build producer, consumer and gauge into bin/
	$(GO) build -o bin/ ./cmd/...

.PHONY: test
test: ## run the tests (TESTFLAGS=-v prints skipped tests)
	$(GOTEST) $(TESTFLAGS) ./...

# Without the commands and the scripts: their tests start processes without the race detector.
.PHONY: race
race: ## run the tests under the race detector; needs a C compiler
	$(GOTEST) -race $(TESTFLAGS) $$($(GO) list ./... | grep -vE '/(cmd|scripts)(/|$$)')

# -fuzztime is a number of inputs, not a time: at the end of a time go test sometimes fails
# with "context deadline exceeded".
.PHONY: fuzz
fuzz: ## fuzz the header, the packets and the blocks briefly
	$(GO) test -run '^$$' -fuzz FuzzHostileHeader -fuzztime 60000x -fuzzminimizetime 10x ./ring
	$(GO) test -run '^$$' -fuzz FuzzHostileSlots -fuzztime 60000x -fuzzminimizetime 10x ./ring
	$(GO) test -run '^$$' -fuzz FuzzPacket -fuzztime 200000x -fuzzminimizetime 10x ./transfer
	$(GO) test -run '^$$' -fuzz FuzzParseBlock -fuzztime 30000x -fuzzminimizetime 10x ./bridge

.PHONY: fmt-check
fmt-check: ## fail if gofmt would change a file
	@unformatted=$$(gofmt -l .) && { [ -z "$$unformatted" ] || { echo "not formatted:" $$unformatted >&2; exit 1; }; }

.PHONY: vet
vet: ## go vet, for this machine and for arm64
	$(GO) vet ./...
	GOARCH=arm64 $(GO) vet ./...
	$(GO) -C packaging vet ./...
	$(GO) -C monitoring vet ./...

.PHONY: lint
lint: ## golangci-lint (.golangci.yml; compiling it takes minutes the first time) and shellcheck
	$(GO) tool -modfile=.ci/tools/go.mod golangci-lint run ./...
	cd packaging && $(GO) tool -modfile=../.ci/tools/go.mod golangci-lint run ./...
	cd monitoring && $(GO) tool -modfile=../.ci/tools/go.mod golangci-lint run ./...
	shellcheck .ci/run scripts/*.sh scripts/completion.bash scripts/docs/*.sh scripts/peers/*.sh scripts/systemd/*.sh \
		scripts/systemd/test/*.sh scripts/systemd/producer-first packaging/*.sh packaging/test/*.sh packaging/maintainer/*

.PHONY: man
man: build ## write the manual pages into build/man/man1
	mkdir -p $(OUT)/man/man1
	for c in producer consumer gauge; do bin/$$c --generate-man >$(OUT)/man/man1/$$c.1 || exit; done
	bin/bridge --generate-man >$(OUT)/man/man1/sluice-bridge.1

.PHONY: completions
completions: ## write the completions into build/, with the file names that shells expect
	for c in producer consumer gauge sluice-bridge; do \
		install -D -m 644 scripts/completion.bash $(OUT)/bash-completion/completions/$$c && \
		install -D -m 644 scripts/completion.fish $(OUT)/fish/vendor_completions.d/$$c.fish || exit; \
	done
	install -D -m 644 scripts/completion.zsh $(OUT)/zsh/site-functions/_sluice

.PHONY: install
install: build ## install commands, man pages, completions and units (root, or DESTDIR=DIR)
	scripts/systemd/install.sh

.PHONY: uninstall
uninstall: ## remove everything that install has installed
	scripts/systemd/uninstall.sh

.PHONY: demo
demo: ## demonstrate back-pressure; 15 seconds
	scripts/demo.sh

.PHONY: bridge-demo
bridge-demo: ## demonstrate a bridge between two rings; 20 seconds
	scripts/bridge-demo.sh

.PHONY: compare
compare: ## compare hard, credit and soft back-pressure (ARGS=--quick)
	scripts/compare.sh $(ARGS)

.PHONY: storm
storm: ## kill the sides of pairs repeatedly (ARGS='--kills 1000')
	scripts/storm.sh $(ARGS)

.PHONY: queueing
queueing: ## check response times against queueing theory; 2 minutes, needs an idle machine
	scripts/queueing.sh $(ARGS)

.PHONY: bench
bench: ## measure sluice and its alternatives (ARGS=--quick)
	scripts/bench.sh $(ARGS)

.PHONY: commands
commands: ## measure the commands against cat and pipes; needs an idle machine
	scripts/commands.sh $(ARGS)

.PHONY: many
many: ## measure and test sides that have several rings; needs an idle machine (ARGS=--quick)
	scripts/many.sh $(ARGS)

.PHONY: bridge
bridge: ## measure and test bridges beside plain NATS; needs an idle machine (ARGS=--quick)
	scripts/bridge.sh $(ARGS)

.PHONY: systemd-test
systemd-test: ## boot a separate systemd and test the units in it; needs root
	scripts/systemd/test.sh

.PHONY: monitoring-test
monitoring-test: ## test the alerts and the dashboard, in a real Prometheus if there is one
	cd monitoring && $(GOTEST) $(TESTFLAGS) ./...

.PHONY: release-check
release-check: ## compare two releases of one commit, from two directories (ARGS=--quick)
	scripts/release-check.sh $(ARGS)

.PHONY: packaging-test
packaging-test: ## test what makes packages and images
	cd packaging && $(GOTEST) -count=1 $(TESTFLAGS) ./... # go test does not see that files above the module change

.PHONY: docs-test
docs-test: ## run the commands of the pages as pasted, on temporary machines; needs root
	scripts/docs/test.sh $(ARGS)

.PHONY: release
release: ## make all files of a release into dist/ (ARGS='--arch amd64')
	scripts/release.sh $(ARGS)

.PHONY: image-test
image-test: ## run pairs in containers of an image with podman; needs root (ARGS=FILE)
	packaging/image-test.sh $(ARGS)

.PHONY: packages-test
packages-test: ## test the deb and the rpm; minutes, needs root, lintian, rpm, mmdebstrap (ARGS=made)
	packaging/test.sh $(ARGS)

.PHONY: ci
ci: ## all checks; installs missing tools on Debian and Ubuntu
	.ci/run

.PHONY: clean
clean: ## remove bin/, build/ and dist/
	rm -rf bin build dist
