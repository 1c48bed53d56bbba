# Each target is a line or two: the logic is in Rust, in e2e/.
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)/debug

.DEFAULT_GOAL := help
.PHONY: help build demo test check generate e2e image bench

help: ## Show what can be made
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST)

build:
	@$(CARGO) build --workspace

demo: build ## Watch an agent being held at the door of production, and let in
	@$(TARGET)/e2e demo

test: ## Run everything that a change must pass
	@$(CARGO) build --workspace --all-targets
	@$(TARGET)/e2e test

check: build ## Check format, lints, documentation and dependencies
	@$(TARGET)/e2e check

generate: build ## Write the generated files anew: CRDs, chart, help, install.yaml
	@UPDATE=1 $(CARGO) test --workspace --quiet
	@$(TARGET)/e2e generate

e2e: build ## Run the suite alone; CASES="D01 drain" for some of it, KUBERNETES=1.37 for another version
	@$(TARGET)/e2e suite $(if $(KUBERNETES),--kubernetes $(KUBERNETES)) $(CASES)

image: build ## Make the operator's image and its SBOM; IMAGE=host/repository:tag pushes it there
	@$(TARGET)/e2e image $(if $(IMAGE),--to $(IMAGE))

bench: build ## Measure decisions, digests, ledgers, and the operator with many agents: docs/benchmarks.md
	@$(CARGO) bench --package vouchsafe-core --benches
	@$(CARGO) build --release --package vouchsafe
	@$(TARGET)/e2e bench --program $(TARGET)/../release/vouchsafe
