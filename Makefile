# `make repro` runs the pipeline, `make test` the tests; both set up .venv first.

PYTHON ?= python3
BIN := .venv/bin
PIP = $(BIN)/python -m pip install --disable-pip-version-check
# Shards on which `make benchmark` trains: the output of the stage `shards`.
SHARDS ?= data/shards
# The grid that `make sweep` runs, and the number of commits whose experiments `make exps` shows.
GRID ?= sweeps/learning_rate.yaml
COMMITS ?= 1
# Runs of a sweep at once; each has its share of the processors.
JOBS ?= 1
# Folds of `make folds`, and a YAML file of dotted keys and values that all of them have; none if empty.
FOLDS ?= 10
KEYS ?=
# The runs of results/runs.yaml that `make real` runs; all if empty.
RUNS ?=
# The tests that `make archs` runs.
OF_KERNEL := $(addprefix tests/, native layers models training batching evaluation pipeline/stages)
# DVC runs the stages with the first python on the path.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help repro results ablations report readme docs plots sweep folds real recipes run exps test archs long faults benchmark
.PHONY: check format lock

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

.venv/.complete: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=...")'
	@echo "set-up: a virtual environment in .venv, once; two to five minutes, 3 GB"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@rm -f .venv/.failed; \
		{ $(PIP) --progress-bar off --require-hashes -r requirements.lock 2>&1 || touch .venv/.failed; } | tee .venv/setup.log | \
		awk '/^Collecting/ && ++n % 25 == 0 {print "set-up: " n " packages are here"; fflush()} \
			/^Installing collected/ {print "set-up: installs them, about a minute"; fflush()}'; \
		test ! -e .venv/.failed || { tail -n 5 .venv/setup.log; echo "set-up: failed; .venv/setup.log has all of it"; exit 1; }
	@$(PIP) --quiet --no-deps --no-build-isolation --editable .
	@touch $@
	@echo "set-up: done"

repro: .venv/.complete  ## Run the pipeline on the corpus that params.yaml names (at first the sample) and print the results
	dvc repro
	@$(MAKE) --no-print-directory results

results: .venv/.complete  ## Print the results of the last run
	@lengthwise results

ablations: .venv/.complete  ## Train new and changed ablations of ablations/params.yaml with every seed; print the table
	dvc repro ablations/dvc.yaml
	@cat metrics/timing_ablations.md

report: .venv/.complete  ## Write the last run as one page, report.html, that opens offline
	lengthwise page

readme: .venv/.complete  ## Write what is generated: MODEL_CARD.md, charts in docs, tables in README.md and docs
	lengthwise documents

docs: .venv/.complete  ## Build the documentation with the whole API as a site, site/index.html
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet

plots: .venv/.complete  ## Write the plots to dvc_plots/index.html
	dvc plots show

sweep: .venv/.complete  ## Run every combination of GRID=sweeps/....yaml as an experiment, JOBS=1 at once; names those that fail
	@lengthwise sweep "$(GRID)" --jobs "$(JOBS)"

recipes: .venv/.complete  ## List the recipes: named sets of keys, each for a kind of data
	@lengthwise recipes

run: .venv/.complete  ## Run RECIPE=name on SOURCE=file or folder as an experiment
	@test -n "$(RECIPE)" || { echo 'make: RECIPE: is missing; expected a name that make recipes lists; make run RECIPE=sms_spam SOURCE=sms.tsv' >&2; exit 2; }
	@test -n "$(SOURCE)" || { echo 'make: SOURCE: is missing; expected a file or folder; make run RECIPE=$(RECIPE) SOURCE=...' >&2; exit 2; }
	@lengthwise run "$(RECIPE)" "$(SOURCE)"

folds: .venv/.complete  ## Cross-validate: run FOLDS=10 folds, JOBS=1 at once; prints one table in which each group is tested once
	@lengthwise folds "$(FOLDS)" --jobs "$(JOBS)" $(if $(KEYS),--keys "$(KEYS)")

real: .venv/.complete  ## Run RUNS (default: all) of results/runs.yaml on CORPUS=path/to/blogs.zip; keep params and metrics in results/
	@test -n "$(CORPUS)" || { echo 'make: CORPUS: is missing; expected a zip, folder or CSV; make real CORPUS=blogs.zip' >&2; exit 2; }
	@lengthwise real "$(CORPUS)" $(RUNS)

exps: .venv/.complete  ## Print the experiments of this commit, best validation accuracy first
	@lengthwise exps --commits "$(COMMITS)"

test: .venv/.complete  ## Run the tests
	python -m pytest -n 2 --dist loadfile

archs: .venv/.complete  ## Run the tests of kernel and networks with each instruction set of this machine
	python -m pytest tests/native -m long
	@for arch in $$(python -c 'from lengthwise.native.arch import kernel_archs; print(*kernel_archs())'); do \
		echo "LENGTHWISE_KERNEL_ARCH=$$arch"; \
		LENGTHWISE_KERNEL_ARCH=$$arch python -m pytest -q -n 2 --dist loadfile $(OF_KERNEL) || exit 1; \
	done

long: .venv/.complete  ## Run what `make test` leaves out, but for faults: all cases and examples of each test, hours
	python -m pytest -n 2 --dist loadfile -m "long or hypothesis" --ignore tests/faults

faults: .venv/.complete  ## Run all tests of faults, an hour: kills, full disks, damage (docs/reliability.md)
	python -m pytest tests/faults -m "long or not long"

benchmark: .venv/.complete  ## Measure training beside Keras and PyTorch (if it is installed), about nine minutes
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
