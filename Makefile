# The commands one needs: make build, make test, make demo, make bench.

CARGO ?= cargo

.PHONY: build test requirements format lint tests generate demo bench peers deny help

build: ## Build the programs into target/release
	$(CARGO) build --release --bins

test: requirements format lint tests ## Everything that has to hold before a commit

requirements: ## Install what the tests need (ssh server, curl, shells, …)
	sh tests/install-requirements.sh

format:
	$(CARGO) fmt --check

lint:
	$(CARGO) clippy --all-targets -- -D warnings

tests:
	$(CARGO) test

generate: ## Rewrite completions/ and man/ from the definitions of the programs
	SOONG_GENERATE=1 $(CARGO) test --test generated

demo: ## See a tunnel work, with an instance made up on this machine
	@$(CARGO) build --bins --example demo
	@$(CARGO) run --quiet --example demo

bench: ## Measure against ssh and others; some of it: make bench GROUPS="start size"
	@CARGO="$(CARGO)" sh benches/run.sh $(GROUPS)

peers: ## Install all that make bench can measure against (takes minutes)
	@CARGO="$(CARGO)" sh benches/install-peers.sh --all

deny: ## Check licences, advisories and sources of the dependencies (needs cargo-deny)
	$(CARGO) deny check

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' $(MAKEFILE_LIST)
