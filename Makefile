# `make` alone lists the targets. The first of them that needs it makes .venv.

PYTHON ?= python3
# Where experiments run, and how many at a time: one here, on a cluster as many as have room.
RUN_ON = $(if $(CLUSTER),--cluster $(CLUSTER)) $(if $(JOBS),--jobs $(JOBS))
VENV := .venv
BIN := $(VENV)/bin
# Makes .venv hold what locks say, by name: what is there stands, EXTRA="jax torch" adds to
# it, EXTRA=gpu takes the other TensorFlow, EXTRA=cpu goes back to the small environment.
define install
@PYTHON=$(PYTHON) VENV=$(VENV) sh requirements/install.sh $(EXTRA) $(TENSORFLOW) $(1)
@test -f .dvc/plots.html || python -m tools.dvc_plots
endef
# Tests on several processors, a file on one, in the order of tests/conftest.py.
SPREAD := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder --durations=20
# Every recipe sees the environment as if it were activated, and no telemetry.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := true
export MLFLOW_DISABLE_TELEMETRY := true

.DEFAULT_GOAL := help
.PHONY: help setup dev repro test test-slow verify bench bench-quick lint audit check-labels ui sweep tune published published-quick compare register export serve demo team-up team-down report gc lock clean

.PHONY: docs pictures

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{printf "make %-16s %s\n", $$1, $$2}'

setup: ## make .venv with what a run needs (EXTRA=gpu, jax, jax-cuda, torch, heic, team or several)
	$(call install)

dev: ## make .venv with what tests and checks need on top
	$(call install,dev)

repro: setup ## run the pipeline as params.yaml says: train, score, report
	@python -m tools.repair
	@dvc repro
	@python -m tools.summary

test: dev ## run the quick tests
	@python -m pytest $(SPREAD)

test-slow: dev ## run the slow tests, those that make test leaves out
	@python -m pytest -m slow $(SPREAD)

verify: setup ## run the pipeline a second time, in a clean copy, and compare every byte
	@python -m tools.verify

bench: setup ## measure the pipeline beside plain Keras (hours); resumes where it stopped
	@python -m benchmarks.bench
	@python -m benchmarks.exported
	@python -m benchmarks.growth

bench-quick: setup ## the pipeline's ratios alone, in three minutes
	@python -m benchmarks.bench --quick

lint: dev ## check the style and the types
	@ruff format --check . && ruff check . && mypy

docs: setup ## write the tables of README and docs anew, from the code and what was measured
	@python -m tools.docs

pictures: dev ## take docs' pictures anew, of the run that is here, with headless Chromium
	@python -m tools.pictures

audit: dev ## look for insecure code and known vulnerabilities of the requirements
	@bandit -q -c pyproject.toml -r stages pipeline tools benchmarks
	@pip-audit --require-hashes $$(sed 's|[^ ][^ ]*|-r requirements/&.lock|g' $(VENV)/.requirements) || echo 'pip-audit: see above; its service may be out of reach'

check-labels: setup ## find labels that are probably wrong (RUN=an experiment, TEST=1: of the test part too)
	@python -m tools.check_labels $(if $(RUN),--run $(RUN)) $(if $(TEST),--test)

ui: setup ## open MLflow's UI on 127.0.0.1
	@python -m tools.ui

sweep: setup ## run the experiments of FILE, JOBS at a time (CLUSTER=auto or HOST:PORT: on Ray)
	@python -m tools.sweep $(FILE) $(RUN_ON)

tune: setup ## let Optuna choose: FILE, or the example
	@python -m tools.tune $(or $(FILE),experiments/search.yaml) $(RUN_ON)

published: setup ## run the published rows again; resumes where it stopped
	@python -m benchmarks.published $(RUN_ON)

published-quick: setup ## every published row with a tiny budget
	@python -m benchmarks.published --quick

compare: setup ## compare all experiments in one page, reports/experiments.html
	@python -m tools.compare

register: setup ## register the best run (by validation) in MLflow
	@python -m tools.register

export: setup ## write the model for other programs into exports/ (TO=onnx,litert,html, RUN=an experiment, QUANTIZE=int8)
	@python -m tools.export $(if $(TO),--to $(TO)) $(if $(RUN),--run '$(RUN)') $(if $(QUANTIZE),--quantize $(QUANTIZE))

serve: setup ## serve the registered model on 127.0.0.1, as docs/serving.md says
	@python -m tools.serve

demo: ## try a model in the browser: drop a photograph (RUN=an experiment, or A,B: two beside each other)
	$(call install,demo)
	@python -m tools.demo $(if $(RUN),--run $(RUN))

team-up: ## start a team's services on 127.0.0.1, to try docs/team.md (PEOPLE="anna ben": accounts)
	$(call install,team)
	@python -m tools.team up $(PEOPLE)

team-down: setup ## end them; their data stay in .state/team
	@python -m tools.team down

report: ## print where the report is
	@test -f reports/report.html && echo "$(CURDIR)/reports/report.html" || { echo 'report: reports/report.html: not there; run `make repro`, which makes it' >&2; exit 1; }

gc: setup ## say what no experiment needs any more; YES=1 removes it
	@python -m tools.gc $(if $(YES),--delete)

lock: setup ## write the locks of requirements anew; UPGRADE=1 takes the newest versions
	@UPGRADE=$(UPGRADE) python requirements/lock.py

clean: ## remove the environment and what the tools have cached; data, runs and reports stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis
