# Two commands: `make repro` runs the pipeline, `make test` the tests; each sets everything up first.

PYTHON ?= python3
BIN := .venv/bin
# What `make benchmark` trains on: what the stage shards has written.
SHARDS ?= data/shards
# What `make sweep` runs, and of how many commits `make exps` shows the experiments.
GRID ?= sweeps/learning_rate.yaml
COMMITS ?= 1
# What `make real` runs, of results/runs.yaml; all if empty.
RUNS ?=
# DVC runs the stages with the first python on the path.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help repro results ablations report readme plots sweep real exps test faults benchmark check format lock

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

.venv/.complete: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

repro: .venv/.complete  ## Run the pipeline (on the sample corpus, unless params.yaml says otherwise) and print the results
	dvc repro
	@$(MAKE) --no-print-directory results

results: .venv/.complete  ## Print the results of the last run
	@python -m lengthwise.reports.results metrics

ablations: .venv/.complete  ## Train what ablations in params.yaml has new or changed, with every seed, and print the table
	dvc repro ablations/dvc.yaml
	@cat metrics/timing_ablations.md

report: .venv/.complete  ## Write the last run as one page that opens offline, report.html
	python -m lengthwise.reports.html metrics dvc.lock report.html

readme: .venv/.complete  ## Write what is generated: MODEL_CARD.md, charts in docs, parts of README.md, docs/results.md and docs/reference.md
	python -m lengthwise.reports.documents .

plots: .venv/.complete  ## Write the plots to dvc_plots/index.html
	dvc plots show

sweep: .venv/.complete  ## Run every combination of GRID=sweeps/....yaml as an experiment; fails, and names them, if some fail
	@python -m lengthwise.sweeps $(GRID)

real: .venv/.complete  ## Run RUNS of results/runs.yaml, or all, on CORPUS=path/to/blogs.zip, and keep their params and metrics in results/
	@test -n "$(CORPUS)" || { echo 'make: CORPUS: is missing; expected a zip, folder or CSV; make real CORPUS=blogs.zip' >&2; exit 2; }
	@python -m lengthwise.sweeps.real results/runs.yaml "$(CORPUS)" $(RUNS)

exps: .venv/.complete  ## Print the experiments of this commit, best validation accuracy first
	@python -m lengthwise.reports.experiments --commits $(COMMITS)

test: .venv/.complete  ## Run the tests
	python -m pytest -n 2 --dist loadfile

faults: .venv/.complete  ## Run all tests of faults, also the long ones, about an hour: kills, full disks, damage (docs/reliability.md)
	python -m pytest tests/faults -m "long or not long"

benchmark: .venv/.complete  ## Measure training beside its peers, about nine minutes; PyTorch takes part if it is installed
	python benchmarks/training.py $(SHARDS) --out benchmarks/results

check: .venv/.complete  ## Lint and check types
	ruff check .
	ruff format --check .
	mypy

format: .venv/.complete  ## Format the code
	ruff check --fix .
	ruff format .

lock:  ## Pin the newest versions that work together, with hashes (needs uv)
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
		--extra dev --output-file requirements.lock pyproject.toml
