# Most used: make build, make test, make demo, make bench. make help lists all targets.

CARGO ?= cargo

.PHONY: build statusd test requirements format lint compiler-lints spelling tests generate install install-files uninstall demo pictures bench charts peers deny dist packages test-in help

# The program for instances, which are Linux machines; elsewhere it does not compile.
daemon = $(if $(filter Linux,$(shell uname -s)),soong-statusd)

build: ## Build the programs into target/release
	$(CARGO) build --release --bins
	$(if $(daemon),$(CARGO) build --release --package $(daemon))

statusd: ## Build soong-statusd, which runs on instances, for this architecture
	$(CARGO) build --release --package soong-statusd

# What the tests need is downloaded while the compiler works.
test: format ## Check formatting, run lints and all tests
	$(MAKE) --jobs 2 requirements compiler-lints
	$(MAKE) spelling tests

requirements: ## Install what the tests need (SSH server, curl, shells, …)
	sh tests/install-requirements.sh

format:
	$(CARGO) fmt --all --check

lint: compiler-lints spelling

compiler-lints:
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --lib --document-private-items
	$(CARGO) test --quiet --test prose --test layers

spelling:
	git ls-files -z '*.rs' '*.md' '*.sh' '*.bash' '*.zsh' '*.fish' '*.py' '*.7' Makefile | xargs -0 codespell

# Most tests wait for processes and the network, so two run for each processor.
threads = $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) * 2)))

tests:
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-$(threads)} $(CARGO) test --workspace

generate: ## Regenerate completions/ and man/ from the command-line definitions
	SOONG_GENERATE=1 $(CARGO) test --workspace --test generated

# Install locations. BINDIR holds the built programs; DESTDIR is a staging root for packages.
PREFIX ?= /usr/local
BINDIR ?= $(or $(CARGO_TARGET_DIR),target)/release
# bash expands the tilde in PREFIX=~/.local; zsh and fish do not.
root = $(DESTDIR)$(patsubst ~/%,$(HOME)/%,$(PREFIX))
share = $(root)/share
programs = $(notdir $(basename $(wildcard src/bin/*.rs)))
# Programs that users type directly, which need a completion of their own.
typed = $(filter-out soong soong-complete soong-supervisor soong-provider-%,$(programs))
# A directory in examples/ is a Rust program and is not installed.
examples = $(filter-out $(patsubst %/.,%,$(wildcard examples/*/.)),$(wildcard examples/soong-*))
licences = LICENSE-APACHE LICENSE-MIT
# Directories that differ between distributions: Debian's zsh reads other completions, and its packages have no
# directory of licences.
ZSH_FUNCTIONS ?= site-functions
LICENCE_DIRECTORY ?= licenses/soong

install: build install-files ## Build and install into PREFIX (default /usr/local)
	@$(if $(DESTDIR),:,sh packaging/next-steps.sh "$(root)/bin")

# Programs come last, so that a new program never runs with old files.
install-files:
	install -d $(root)/bin $(share)/bash-completion/completions $(share)/zsh/$(ZSH_FUNCTIONS) \
		$(share)/fish/vendor_completions.d $(share)/fish/vendor_conf.d $(share)/soong/shell \
		$(share)/man/man1 $(share)/man/man5 $(share)/man/man7 $(share)/man/man8 $(share)/doc/soong/docs \
		$(share)/doc/soong/examples/hooks $(if $(LICENCE_DIRECTORY),$(share)/$(LICENCE_DIRECTORY)) \
		$(if $(daemon),$(root)/lib/soong)
	install -m 644 completions/soong.bash $(share)/bash-completion/completions/soong.bash
	install -m 644 completions/_soong $(share)/zsh/$(ZSH_FUNCTIONS)/_soong
	install -m 644 completions/soong.fish $(share)/fish/vendor_completions.d/soong.fish
	for name in $(typed); do \
		ln -sf soong.bash "$(share)/bash-completion/completions/$$name.bash" && \
		ln -sf soong.fish "$(share)/fish/vendor_completions.d/$$name.fish" || exit 1; \
	done
	install -m 644 shell/soong.fish $(share)/fish/vendor_conf.d/soong.fish
	install -m 644 shell/soong.bash shell/placement.bash shell/soong.zsh shell/soong.plugin.zsh $(share)/soong/shell
	for section in 1 5 7 8; do \
		for page in man/*.$$section; do \
			if [ -f "$$page" ]; then install -m 644 "$$page" "$(share)/man/man$$section" || exit 1; fi; \
		done; \
	done
	install -m 644 packaging/uninstall.sh $(share)/soong/uninstall.sh
	install -m 644 README.md CHANGELOG.md CONTRIBUTING.md $(share)/doc/soong
	install -m 644 docs/*.md docs/*.svg $(share)/doc/soong/docs
	install -m 755 $(examples) $(share)/doc/soong/examples
	install -m 755 examples/hooks/* $(share)/doc/soong/examples/hooks
	$(if $(LICENCE_DIRECTORY),install -m 644 $(licences) $(share)/$(LICENCE_DIRECTORY))
	for name in $(daemon); do install -m 755 "$(BINDIR)/$$name" "$(root)/lib/soong/$$name" || exit 1; done
	for name in $(programs); do install -m 755 "$(BINDIR)/$$name" "$(root)/bin/$$name" || exit 1; done

uninstall: ## Stop the tunnels and remove what install has put into PREFIX
	@$(if $(DESTDIR),:,sh packaging/uninstall.sh stop "$(root)/bin")
	rm -f $(addprefix $(root)/bin/,$(programs)) $(root)/lib/soong/soong-statusd
	rm -f $(share)/bash-completion/completions/soong.bash $(share)/zsh/$(ZSH_FUNCTIONS)/_soong \
		$(share)/fish/vendor_completions.d/soong.fish $(share)/fish/vendor_conf.d/soong.fish
	rm -f $(typed:%=$(share)/bash-completion/completions/%.bash) $(typed:%=$(share)/fish/vendor_completions.d/%.fish)
	for page in man/*.[1578]; do \
		page=$${page##*/}; rm -f "$(share)/man/man$${page##*.}/$$page" || exit 1; \
	done
	rm -f $(share)/soong/uninstall.sh
	rm -rf $(share)/soong/shell $(share)/doc/soong $(if $(LICENCE_DIRECTORY),$(share)/$(LICENCE_DIRECTORY))
	rmdir $(share)/soong $(root)/lib/soong 2>/dev/null || :
	@$(if $(DESTDIR),:,sh packaging/uninstall.sh left)

tour = $(or $(CARGO_TARGET_DIR),target)/debug/examples/demo

demo: ## Run a tour against a temporary instance on this machine
	@[ -x "$(tour)" ] || printf '%s\n' \
		'The demo starts a temporary SSH server on this machine, which plays the rented instance, and runs' \
		'the real commands against it, with a lost link in between. It leaves nothing behind.' \
		'First it compiles the programs and that server: a few minutes, this once.'
	@$(CARGO) build --bins --example demo
	@$(CARGO) build --package soong-statusd
	@$(CARGO) run --quiet --example demo

pictures: ## Redraw the pictures in docs/ from real runs (needs tmux, curl, python3)
	SOONG_GENERATE=1 $(CARGO) test --test it -- pictures
	@$(CARGO) build --bins --example demo
	@$(CARGO) build --package soong-statusd
	python3 docs/pictures/session.py

bench: ## Compare with ssh and others; a part: make bench GROUPS="start size"
	@CARGO="$(CARGO)" sh benches/run.sh $(GROUPS)

charts: ## Copy the report of the last make bench and its charts into docs/
	sh benches/publish.sh

peers: ## Install every tool that make bench can compare with (takes minutes)
	@CARGO="$(CARGO)" sh benches/install-peers.sh --all

deny: ## Check licences, advisories and sources of dependencies (needs cargo-deny)
	$(CARGO) deny check

dist: ## Build the files of a release into target/dist: make dist PARTS="build archive deb"
	@CARGO="$(CARGO)" sh packaging/dist.sh $(PARTS)

packages: ## Install, use, upgrade and remove each package of target/dist in Debian roots (root, minutes)
	sh packaging/lock.sh packages 'make packages' sh packaging/check.sh $(PACKAGES)

test-in: ## Run integration tests in a root of another Debian release: make test-in SUITE=trixie TESTS=prompt::
	@CARGO="$(CARGO)" sh packaging/test-in.sh $(or $(SUITE),trixie) $(TESTS)

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST)
