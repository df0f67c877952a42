SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON_IN_VENV := .venv/bin/python
SETUP := .venv/.done .jars/.done .data/CDNOW_master.txt

SEEDS ?= 10000
RECORDS ?= 1000000

.PHONY: help setup setup-s3 demo test test-slow test-feast test-page screenshots check format bench bench-speed bench-batch bench-serving balance simulate faults test-upgrade docs lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(SETUP) ## packages, jars and demo data, into .venv, .jars and .data; a second run does nothing

setup-s3: .jars/s3/.done ## the jar for a warehouse in an object store (S3), into .jars/s3; LAMBDA360_BATCH_JARS names it

demo: $(SETUP) ## the whole system on real purchases, every answer checked, and a URL to look at
	.venv/bin/lambda360 demo

test: $(SETUP) check ## the checks, then the tests, on servers of their own; those without servers run beside the others
	$(PYTHON_IN_VENV) -m pytest -n 3 --dist loadscope -m "not slow and not browser"

test-slow: $(SETUP) ## the tests of a minute and more, on servers of their own; to be run before an issue is closed
	$(PYTHON_IN_VENV) -m pytest -m slow

test-feast: $(SETUP) .feast/.done ## features served by Feast, in an environment of its own: parity, pushes, point-in-time joins
	$(PYTHON_IN_VENV) -m pytest -m feast

test-page: .venv/.done ## the dashboard in a real headless Chromium, over a store in memory; installs Chromium if it may
	@infra/local/setup/browser.sh
	$(PYTHON_IN_VENV) -m pytest -m browser tests/browser

screenshots: .venv/.done ## pictures of the dashboard, wide and phone, light and dark, into var/screenshots; URL=http://… for a running one
	@infra/local/setup/browser.sh
	$(PYTHON_IN_VENV) -m tests.browser.screenshots $(if $(URL),--url $(URL)) $(if $(CUSTOMER),--customer $(CUSTOMER)) $(if $(AS_OF),--as-of $(AS_OF))

check: .venv/.done ## format, lint, types, import rules and dependencies
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache
	.venv/bin/deptry .
	.venv/bin/deptry . --extend-exclude '^tests/' --optional-dependencies-dev-groups dev

format: .venv/.done ## rewrite the code in the project's format
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

bench: $(SETUP) ## freshness, throughput and the import of a file, five runs each
	$(PYTHON_IN_VENV) -m tests.bench

bench-speed: $(SETUP) ## throughput of one and two workers beside the bare driver, and freshness under half of it
	$(PYTHON_IN_VENV) -m tests.bench --only speed

bench-batch: $(SETUP) ## 5, 10 and 20 million orders recomputed beside DuckDB, archived, loaded beside the bare driver; a hot customer; upkeep
	$(PYTHON_IN_VENV) -m tests.bench.recomputing --records 5000000 --customers 250000
	$(PYTHON_IN_VENV) -m tests.bench.recomputing --records 10000000 --customers 500000
	$(PYTHON_IN_VENV) -m tests.bench.recomputing --records 20000000 --customers 1000000
	$(PYTHON_IN_VENV) -m tests.bench.recomputing --records 20000000 --customers 1000000 --hot 1000000
	$(PYTHON_IN_VENV) -m tests.bench.upkeep
	$(PYTHON_IN_VENV) -m tests.bench.night --records 20000000 --customers 1000000

bench-serving: $(SETUP) ## merged answers beside two bare reads and FastAPI alone, on a million customers (needs wrk); then hot ones
	$(PYTHON_IN_VENV) -m tests.bench.serve
	$(PYTHON_IN_VENV) -m tests.bench.serve --hot

balance: $(SETUP) ## a million records with 1 % poison: counts, dead letters, their replay, and every answer
	$(PYTHON_IN_VENV) -m tests.bench.balance --records $(RECORDS)

simulate: $(SETUP) ## the core in a simulated world of faults: make simulate SEEDS=100000
	$(PYTHON_IN_VENV) -m tests.simulation --seeds $(SEEDS)

faults: $(SETUP) ## real faults under load (50 kills, a zombie, rebalances, Kafka and Cassandra away, the batch killed, readers through publishes); every answer checked
	$(PYTHON_IN_VENV) -m tests.faults

test-upgrade: $(SETUP) ## from the release before to this one in place, API and worker mixed, and back; every answer judged
	$(PYTHON_IN_VENV) -m tests.upgrade

docs: .venv/.done ## write docs/settings.md and docs/metrics.md anew from the code
	$(PYTHON_IN_VENV) -m infra.documentation

lock: .venv/.done ## choose versions anew: requirements.lock from pyproject.toml
	.venv/bin/uv pip compile pyproject.toml --extra dev --universal --generate-hashes --no-header --upgrade --quiet --output-file requirements.lock
	.venv/bin/uv pip compile infra/deploy/feast/requirements.in --universal --generate-hashes --no-header --upgrade --quiet --python-version 3.11 --output-file infra/deploy/feast/requirements.lock

clean: ## stop this home's servers and remove what set-up and runs left, but for .data
	if [ -x .venv/bin/lambda360 ]; then .venv/bin/lambda360 stack down; fi
	rm -rf .venv .feast .jars .moto .moto.lock var build .mypy_cache .ruff_cache .pytest_cache .hypothesis

.venv/.done: requirements.lock pyproject.toml infra/local/setup/venv.sh infra/local/setup/prerequisites.sh
	@infra/local/setup/venv.sh

.feast/.done: infra/deploy/feast/requirements.lock infra/deploy/feast/setup.sh
	@infra/deploy/feast/setup.sh

.jars/.done: infra/local/setup/pom.xml $(foreach part,kafka cassandra spark,infra/local/setup/$(part)/pom.xml) infra/local/setup/jars.sh
	@infra/local/setup/jars.sh

.jars/s3/.done: infra/local/setup/s3/pom.xml infra/local/setup/jars.sh
	@infra/local/setup/jars.sh s3

.data/CDNOW_master.txt: infra/local/setup/data.lock | .venv/.done
	@infra/local/setup/data.sh
