# What people do here. `make run` needs a Rust toolchain and nothing else.

CARGO ?= cargo
CARGO_DENY_VERSION := 0.20.2
CARGO_FUZZ_VERSION := 0.13.2

# How long each fuzz target runs, seconds; and which, if not all.
TIME ?= 60
TARGETS ?=

# What `make bench` measures: the builds, `PROXY='plain=PATH pgo=PATH'`; fewer and shorter rounds, `QUICK=1`; some parts
# or cells, `ONLY='throughput' CELLS='200_B@64 8_KiB@64/http2-out'`; Envoy beside the other peers, `ENVOY=1`; a sentence
# for the top of the page, `NOTE='…'`.
PROXY ?=
QUICK ?=
ONLY ?=
CELLS ?=
ENVOY ?=
NOTE ?=
ENVOY_PROGRAM = target/bench/envoy/lib/python3*/site-packages/envoy/_bin/envoy

# `make gate UPDATE=1` allows what it counts.
UPDATE ?=
# No compiled files are left in the checkout.
MEASURE = PYTHONPATH=benches python3 -B -m measure

.DEFAULT_GOAL := help
.PHONY: help run test lint fmt fuzz bench gate release dist

help:
	@echo 'make run    build and start the proxy in front of the embedded stand-in API'
	@echo 'make test   install what the tests need, then run every suite'
	@echo 'make lint   formatting, clippy, documentation, licences and bans'
	@echo 'make fmt    format the code'
	@echo 'make fuzz   search for bytes that break a rule, TIME=60 seconds for each target'
	@echo 'make bench  measure what the proxy costs, beside nginx and HAProxy; QUICK=1 for a hint'
	@echo 'make release build the fastest program, in two to three times the time of a release build'
	@echo 'make dist   the same, packed with its documents'
	@echo 'make gate   fail if a request takes more instructions or allocations than it did, UPDATE=1 to set new figures'

# A development build: it starts soonest after a change, and is fast enough to try things.
run:
	@$(CARGO) run --locked -- sandbox

# One failing suite does not hide what the others have to say.
test:
	@scripts/test-tools.sh
	$(CARGO) test --locked --no-fail-fast

lint:
	$(CARGO) fmt --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	@# The fuzz targets' lock file knows what the program depends on.
	$(CARGO) metadata --locked --format-version 1 --manifest-path fuzz/Cargo.toml >/dev/null
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --features fuzzing --bench pure -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --locked --no-deps
	@$(CARGO) deny --version >/dev/null 2>&1 || { \
		echo 'make lint: installing cargo-deny $(CARGO_DENY_VERSION) into the Cargo home'; \
		$(CARGO) install --locked cargo-deny@$(CARGO_DENY_VERSION); }
	$(CARGO) deny --locked check bans licenses sources

fmt:
	$(CARGO) fmt
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml

fuzz:
	@$(CARGO) fuzz --version >/dev/null 2>&1 || { \
		echo 'make fuzz: installing cargo-fuzz $(CARGO_FUZZ_VERSION) into the Cargo home'; \
		$(CARGO) install --locked cargo-fuzz@$(CARGO_FUZZ_VERSION); }
	scripts/fuzz.sh $(TIME) $(TARGETS)

bench:
	@scripts/bench-tools.sh $(if $(ENVOY),envoy)
	$(if $(PROXY),,$(CARGO) build --release --locked)
	$(MEASURE) run $(if $(QUICK),--quick) $(if $(PROXY),--proxy $(PROXY)) $(if $(ONLY),--only $(ONLY)) \
		$(if $(CELLS),--cells $(CELLS)) $(if $(ENVOY),--envoy $(ENVOY_PROGRAM)) $(if $(NOTE),--note '$(NOTE)')

# It counts, so that a busy machine changes nothing. The build is the one that is shipped: without link-time
# optimisation a request takes more than half as many instructions again, and other changes show.
gate:
	@scripts/bench-tools.sh gate
	$(CARGO) build --release --locked
	$(MEASURE) gate $(if $(UPDATE),--update)

release:
	@CARGO='$(CARGO)' scripts/release.sh

dist:
	@CARGO='$(CARGO)' scripts/dist.sh
