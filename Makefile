# Two commands for a fresh checkout: `make run` and `make test`.
#
# PyTorch is installed first and by itself, so that nothing else decides which build comes.
# For a CUDA build, or a newer one:  make run TORCH="torch --index-url https://..."  or  TORCH=torch
PYTHON ?= python3
TORCH ?= torch==2.13.0
# Processes that run tests side by side: one a core, or  make test WORKERS=4
WORKERS ?= auto
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test docs check lint format types hooks bench fuzz dist clean

# A first answer in a minute, then the systems side by side, one thread each, as many as there are
# cores; the longest first. Interrupted, it goes on where it was.
QUICK := metaplastic wires siamese bmcnn
JOBS ?= $(shell getconf _NPROCESSORS_ONLN)

run: $(READY)
	$(BIN)/mho demo
	$(MAKE) --no-print-directory --jobs=$(JOBS) $(QUICK:%=runs/quick/%/result.json)
	$(BIN)/mho report runs/quick

runs/quick/%/result.json: | $(READY)
	OMP_NUM_THREADS=1 TERM=dumb $(BIN)/mho run $* --preset quick --set threads=1 --out runs/quick/$* --resume

test: $(READY)
	$(BIN)/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal

# The documentation as a site of plain files: build/docs/index.html. A warning is an error.
docs: $(READY)
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx --builder html --fail-on-warning --quiet docs build/docs

# The list of checks: .ci/run and the hooks of .pre-commit-config.yaml run these.
check: lint format types

lint: $(READY)
	$(BIN)/ruff check .

format: $(READY)
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/pyright

# Once, if the checks are to run before each commit.
hooks: $(READY)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	$(BIN)/pre-commit install

bench: $(READY)
	$(BIN)/python benchmarks/first_use.py --kernels
	$(BIN)/python benchmarks/inference.py
	$(BIN)/python benchmarks/recurrent.py
	$(BIN)/python benchmarks/write_path.py
	$(BIN)/python benchmarks/lifelong.py
	$(BIN)/python benchmarks/ageing.py
	$(BIN)/python benchmarks/conversion.py
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/binarized.py
	$(BIN)/python benchmarks/noise_aware.py
	$(BIN)/python benchmarks/wires.py
	$(BIN)/python benchmarks/operating_point.py
	$(BIN)/python benchmarks/transient.py
	$(BIN)/python benchmarks/instrument.py

# Random wrong input for all that takes input; the same seed makes the same.
fuzz: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m fuzz --seconds 60 --seed 0

# The source distribution and the wheel, in dist/, and a trial of the wheel in an empty environment.
dist: $(READY)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	TORCH="$(TORCH)" .ci/dist $(BIN)/python

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mho needs Python 3.11 or newer; try make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --progress-bar on $(TORCH)
	$(BIN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
