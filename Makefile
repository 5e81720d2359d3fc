# Every target once; `make` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
LAB := tests/lab/lab
COMMA := ,
# Programs that this machine can't download may lie beside the checkout; elsewhere the lab gets them itself.
export LAB_ARTIFACTS ?= $(realpath ../shared/lab/artifacts)
ifneq ($(shell id -u),0)
SUDO := sudo
AS_ROOT := sudo --preserve-env=LAB_ARTIFACTS,LAB_MANIFESTS,LAB_ROOT,LAB_VM_ACCEL,LAB_IMAGES
# Hosts need root; building does not.
RUN_AS_ROOT := CARGO_TARGET_$(subst -,_,$(shell rustc -vV | sed -n 's/^host: //p' | tr a-z A-Z))_RUNNER='sudo --preserve-env'
endif
# Each file has a lab of its own, which waits more than it works: two run at a time. The longest come first.
LAB_TESTS := convergence recovery jenkins ci faults storage upgrade fleet high_availability registry vm preflight
LAB_JOBS := 2
# What tests say, and which of them were skipped: counted at the end, where the reason of a failure is reported once more.
LOGS := target/tests
export SKIPPED := $(CURDIR)/$(LOGS)/skipped
NO_LOGS := rm -rf $(LOGS); mkdir -p $(LOGS); : > $(SKIPPED)
TALLY := tests/tally.sh "$$failed" | tee $(LOGS)/tally
# Rehearsals of further losses, and agent images built by Kaniko: too long for every change. Files of both lists have cases for each.
REHEARSALS := losses upgrade jenkins_home share_outlives high_availability storage harbor
# Where real images can take the place of stand-ins.
REAL := ci jenkins jenkins_home registry storage harbor

.PHONY: help
help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

.PHONY: demo demo-down
demo: lab ## three local hosts and an NFS server, the real apply on them, and what to try next; with CLUSTER_ONLY=1 no storage and no Jenkins
	tests/demo.sh up

demo-down: ## take the demo away
	tests/demo.sh down

.PHONY: test
test: export LAB_IMAGES := stand-in
test: deps fmt try-schemas ## everything that CI checks; the last line counts what passed, failed and was skipped
	@$(NO_LOGS)
	$(MAKE) --no-print-directory -j2 lab-if-it-can lint
	@$(MAKE) --no-print-directory --keep-going unit standins lab-tests || failed=yes; $(TALLY)

.PHONY: deps
deps: ## install the Debian packages that tests and the lab need, and nothing else
	$(AS_ROOT) $(LAB) install-deps

.PHONY: fresh
fresh: ## demo and tests on a minimal Debian 12 of their own, as on a machine that nobody prepared; RELEASE=trixie, FRESH=demo, FRESH=test
	tests/fresh/run.sh

.PHONY: fmt lint unit
fmt: ## is the code formatted?
	cargo fmt --all --check

lint: ## do clippy and shellcheck agree, with every warning an error?
	cargo clippy --workspace --all-targets -- -D warnings
	@mkdir -p $(LOGS)
	@if ! command -v shellcheck >/dev/null; then printf 'lint\tlint: shellcheck on the scripts for hosts\tno shellcheck on this machine\n' >> $(SKIPPED); \
	else shellcheck -s sh -S warning scripts/*.sh src/resource/*.sh; fi

unit: ## all tests that need no lab: units, properties, CLI, diagnostics, generated documents, a real sshd
	@mkdir -p $(LOGS)
	cargo test --no-fail-fast --lib --bins $(patsubst tests/%.rs,--test %,$(filter-out $(patsubst %,tests/%.rs,$(LAB_TESTS) $(REHEARSALS)),$(wildcard tests/*.rs))) $(patsubst tests/%/main.rs,--test %,$(wildcard tests/*/main.rs)) 2>&1 | tee $(LOGS)/unit.log

.PHONY: fuzz
fuzz: ## changed files of the corpora for what reads files of others, a minute each; FUZZ_SECONDS=600 for longer
	FUZZ_SECONDS=$${FUZZ_SECONDS:-60} cargo test --test fuzz

.PHONY: standins
standins: ## do the lab's stand-ins keep their contracts?
	@if ! command -v go >/dev/null; then printf 'standins\tstandins: they keep their contracts\tno go on this machine\n' >> $(SKIPPED); \
	else for folder in $(sort $(dir $(wildcard tests/lab/src/*/*_test.go))); do (cd $$folder && go test ./...) || exit 1; done; fi

.PHONY: schemas try-schemas
schemas: target/schemas/bin/kubernetes-validate ## the schemas of Kubernetes against which the unit tests hold manifests; without them that test is skipped

target/schemas/bin/kubernetes-validate:
	python3 -c 'import ensurepip' 2>/dev/null || { $(SUDO) apt-get update -q && $(SUDO) apt-get install -q -y --no-install-recommends python3-venv; }
	python3 -m venv target/schemas && target/schemas/bin/pip install --quiet kubernetes-validate==1.37.0

# A machine that can't get them has all the other tests.
try-schemas:
	-$(MAKE) --no-print-directory schemas

.PHONY: lab lab-if-it-can lab-tests
lab: deps ## fill the lab's cache: programs, hosts, packages, images
	$(AS_ROOT) $(LAB) prepare

# All that the lab tests need; some unit tests speak with the lab's programs too.
lab-if-it-can: deps
	@if $(AS_ROOT) $(LAB) doctor; then \
	  $(AS_ROOT) $(LAB) prepare && $(AS_ROOT) $(LAB) rhel install-deps && $(AS_ROOT) $(LAB) rhel prepare || exit 1; \
	  if $(AS_ROOT) $(LAB) vm doctor; then $(AS_ROOT) $(LAB) vm prepare && $(AS_ROOT) env LAB_VM_KIND=rocky9 $(LAB) vm prepare; fi; \
	fi

lab-tests: lab-if-it-can ## tests on real hosts, by file; on a machine that can't host a lab each says so and is skipped
	$(RUN_AS_ROOT) cargo test --no-run $(addprefix --test ,$(LAB_TESTS))
	@mkdir -p $(LOGS)
	$(MAKE) --no-print-directory --keep-going -j$(LAB_JOBS) $(addprefix lab-run-,$(LAB_TESTS)) lab-selftest

.PHONY: lab-selftest
lab-selftest: ## does the lab keep its promises?
	@mkdir -p $(LOGS)
	if ! $(AS_ROOT) $(LAB) doctor; then printf 'selftest\tselftest: the lab keeps its promises\tthis machine can%st host a lab\n' "'" >> $(SKIPPED); \
	else $(AS_ROOT) tests/lab/selftest.sh 2>&1 | sed -u 's/^/selftest: /' | tee $(LOGS)/selftest.log; fi

.PHONY: rehearsals
rehearsals: export REHEARSE := yes
rehearsals: lab ## the long lab tests, before a release: losses of all kinds, agent images of one's own
	$(AS_ROOT) $(LAB) prepare kaniko
	if $(AS_ROOT) $(LAB) vm doctor; then $(AS_ROOT) $(LAB) vm prepare; fi
	@$(NO_LOGS)
	@$(MAKE) --no-print-directory --keep-going -j$(LAB_JOBS) $(addprefix lab-run-,$(REHEARSALS)) || failed=yes; $(TALLY)

.PHONY: real real-images
real: export REHEARSE := yes
real: real-images lab ## the tests of Jenkins, storage and registries with real images: LAB_IMAGES=FOLDER (tests/lab/README.md)
	$(AS_ROOT) $(LAB) prepare kaniko
	@$(NO_LOGS)
	@$(MAKE) --no-print-directory --keep-going -j$(LAB_JOBS) LAB_IMAGES="$(realpath $(LAB_IMAGES))" $(addprefix lab-run-,$(REAL)) || failed=yes; $(TALLY)

real-images:
	@[ -d "$(LAB_IMAGES)" ] || { echo "make real: LAB_IMAGES must name a folder of images: see tests/lab/README.md"; exit 2; }

.PHONY: $(addprefix lab-run-,$(sort $(LAB_TESTS) $(REHEARSALS)))
$(addprefix lab-run-,$(sort $(LAB_TESTS) $(REHEARSALS))): lab-run-%:
	@mkdir -p $(LOGS)
	RUST_BACKTRACE=0 $(RUN_AS_ROOT) cargo test --test $* -- --nocapture 2>&1 | sed -u 's/^/$*: /' | tee $(LOGS)/$*.log

.PHONY: cgroup2
cgroup2: lab ## does a lab come up on a machine with cgroup v2 alone? in a virtual machine with Debian 13's kernel
	cargo build
	$(AS_ROOT) env LAB_VM_KIND=bookworm-lab $(LAB) vm prepare
	$(AS_ROOT) tests/lab/vm/cgroup2.sh

.PHONY: cluster-api
cluster-api: lab ## the API layer against a cluster in a lab; some six minutes, most of them waiting for failures on purpose
	$(AS_ROOT) env PATH="$$PATH" tests/cluster-api.sh

.PHONY: $(addprefix lab-test-,$(sort $(LAB_TESTS) $(REHEARSALS)))
$(addprefix lab-test-,$(sort $(LAB_TESTS) $(REHEARSALS))): lab-test-%: deps
	$(AS_ROOT) $(LAB) prepare $(if $(filter harbor,$*),kaniko)
	$(RUN_AS_ROOT) cargo test --test $* -- --nocapture

.PHONY: docs
docs: ## write the documents that are made from the code: inventory, schema, diagnostics, CLI
	UPDATE_EXPECTED=1 cargo test --test docs --test diagnostics --test cli

.PHONY: site
site: target/site-tools/bin/mdbook ## the documents as a site in target/site, its links checked
	rm -rf target/site target/site-pages && mkdir -p target/site-pages
	git ls-files -z -- '*.md' docs tests/bench inventory.example.yaml LICENSE | xargs -0 cp --parents -t target/site-pages
	cp docs/site/book.toml docs/site/SUMMARY.md target/site-pages/
	target/site-tools/bin/mdbook build target/site-pages --dest-dir $(CURDIR)/target/site
	python3 docs/site/check.py target/site

target/site-tools/bin/mdbook:
	cargo install --locked --root target/site-tools --no-default-features --features search mdbook@0.5.4

.PHONY: deny
deny: ## licences, sources and advisories of dependencies (needs cargo-deny and the network)
	cargo deny check

.PHONY: dist dist-test
dist: ## a release in target/dist: program, packages, SBOM, checksums; DIST_KEY=KEY signs them
	dist/build.sh

dist-test: deps ## install and remove the packages of `make dist` on bare hosts of both families
	$(AS_ROOT) $(LAB) prepare && $(AS_ROOT) $(LAB) rhel install-deps && $(AS_ROOT) $(LAB) rhel prepare
	$(if $(SUDO),sudo --preserve-env=DIST_KEY$(COMMA)LAB_ROOT) dist/test.sh

.PHONY: bench
bench: lab ## measure against the floor, Ansible and pyinfra; prints the tables
	tests/bench/run.sh
