# `make reproduce` turns a fresh clone into the tables, the figure and the report.
PYTHON ?= python3
BIN := .venv/bin
SUPPLY := .venv/supply
READERS ?= image weights archive configuration card assignment table json
FUZZ_RUNS ?= 100000
KILLS ?= 100
PYTEST := -n 2 --dist loadfile --no-loadscope-reorder --durations=10 --durations-min=1
NAME ?= smoke
ARCHIVE ?= results/$(NAME).zip
OUT ?= results/replayed
# Bytecode is kept, whatever the caller's environment says: packages are installed without (see below), and each
# process would compile anew all that it imports.
export PYTHONDONTWRITEBYTECODE :=
# Rules call `derainbench` and `python` by name: the ones of .venv.
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"

.PHONY: help reproduce check real archive replay validator test coverage test-gpu fuzz kills lint lock advisories sbom clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-10s %s\n", $$1, $$2 }' Makefile

reproduce: .venv/.installed ## results/smoke: tables, figure, report
	@$(RUN) python -m derainbench.workflow --cores all

check: reproduce ## the same, held to results/reference/smoke: names each drift and fails on it
	@$(RUN) python -m derainbench check results/reference/smoke results/smoke --out results/smoke/drift.md

real: .venv/.installed ## the same on real images: see config/real.yaml
	@$(RUN) python -m derainbench.workflow --cores all --configfile config/real.yaml

archive: .venv/.installed ## results/NAME as one file, NAME=smoke: an RO-Crate without images of data sets
	@$(RUN) python -m derainbench archive results/$(NAME) --out results/$(NAME).zip

replay: .venv/.installed ## tables, figures, verdicts, page from ARCHIVE=FILE or folder into OUT, and held to it
	@$(RUN) python -m derainbench replay $(ARCHIVE) --out $(OUT)

validator: .venv/validator/bin/rocrate-validator ## what holds archives to their profile, in a place of its own

# It wants an older rich than import-linter does, so it cannot share .venv.
.venv/validator/bin/rocrate-validator: .venv/.installed
	@$(PYTHON) -m venv --clear .venv/validator
	@.venv/validator/bin/python -m pip install --quiet roc-validator==0.13.0

test: .venv/.installed ## the tests, and the slowest ten
	@$(RUN) OMP_NUM_THREADS=1 python -m pytest $(PYTEST)

# Apart: to watch every line takes half as long again.
coverage: .venv/.installed ## the tests, and how much of the code they run
	@$(RUN) OMP_NUM_THREADS=1 python -m pytest $(PYTEST) --cov --cov-report=
	@echo "coverage: $$($(RUN) python -m coverage report --format=total) % of the lines, jobs of the workflow apart"

test-gpu: .venv/.installed ## a GPU against the CPU: values, AMP, counts, joules, speed; without one it says so and ends with 0, or with 1: REQUIRED=1
	@$(RUN) python benchmarks/gpu.py $(if $(REQUIRED),--required)

fuzz: .venv/.installed ## readers of foreign bytes, 100,000 inputs each; one: READERS=weights
	@$(RUN) python -m pip install --quiet --no-deps atheris==3.0.0
	@for reader in $(READERS); do echo "$$reader"; \
		$(RUN) python tests/fuzzing/fuzz.py $$reader -runs=$(FUZZ_RUNS) -rss_limit_mb=4096 -print_final_stats=1 -verbosity=0 || exit 1; \
	done

kills: .venv/.installed ## a small configuration killed KILLS=100 times; KEEP=FOLDER keeps what came of it
	@$(RUN) OMP_NUM_THREADS=1 python tools/killtest.py --kills $(KILLS) $(if $(KEEP),--out $(KEEP))

lint: .venv/.installed ## ruff, import-linter, mypy, snakefmt, snakemake --lint
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) lint-imports
	$(RUN) mypy
	$(RUN) snakefmt --check Snakefile workflow
	$(RUN) snakemake --lint

lock: ## requirements.lock and environment.yml; newer versions: make lock OPTIONS=--upgrade
	$(PYTHON) tools/lock.py $(OPTIONS)

advisories: $(SUPPLY)/.installed ## known vulnerabilities of the locked versions, accepted ones with reasons; takes a network
	@$(PYTHON) tools/advisories.py $(SUPPLY)/bin/pip-audit

sbom: $(SUPPLY)/.installed ## dist/: every installed package (CycloneDX), and the licence of each
	@mkdir -p dist
	@$(BIN)/python tools/licences.py dist/licences.csv
	@$(SUPPLY)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON --output-file dist/sbom.cdx.json $(BIN)/python
	@echo "dist/licences.csv dist/sbom.cdx.json"

# In a place of their own, as the validator: they would change what they look at.
$(SUPPLY)/.installed: .venv/.installed
	@$(PYTHON) -m venv --clear $(SUPPLY)
	@$(SUPPLY)/bin/python -m pip install --quiet pip-audit==2.10.1 cyclonedx-bom==7.5.0
	@touch $@

clean: ## delete the results of runs; results/reference stays
	@if [ -d results ]; then find results -mindepth 1 -maxdepth 1 ! -name reference -exec rm -rf {} +; fi

# The stamp is the lock that .venv was installed from: without it, or with another one in it,
# .venv is made anew. It is laid last, so that a killed install leaves none.
# OpenCV comes twice: facexlib wants the build with windows, pyiqa the one without, and both write
# the same files. The one without goes last, because the other cannot be imported without libGL.
# Packages that come as source alone are built with the locked setuptools, so it goes first: nothing
# is installed or run that has no hash in the lock. The lock is complete, so pip resolves nothing: with
# hashes it stumbles over extras (`coverage[toml]`) if it does. Nor does it compile: Python does so at
# a module's first import and keeps that, and of most packages few modules are ever imported.
.venv/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "derainbench needs Python 3.11 or newer, not " + sys.version.split()[0] + ": make PYTHON=/path/to/python3.11")'
	@cmp -s requirements.lock $@ || { \
		rm -f $@ && $(PYTHON) -m venv --clear .venv && \
		sed -nE '/^(setuptools|opencv-python)==/,/[^\\]$$/p' requirements.lock > .venv/first.lock && \
		$(BIN)/python -m pip install --no-compile --require-hashes --no-deps -r .venv/first.lock && \
		$(BIN)/python -m pip install --no-compile --require-hashes --no-deps --no-build-isolation -r requirements.lock; }
	@$(BIN)/python -m pip install --no-deps --no-build-isolation -e .
	@cp requirements.lock $@.new && mv $@.new $@
