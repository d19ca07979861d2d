# `make demo` and `make test` do everything from a fresh clone; nothing is downloaded at run time.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export HF_HUB_OFFLINE ?= 1
export TUTELAGE_SHARED ?= ../shared/assets

.PHONY: demo test check soak fuzz pupil clean

demo: $(VENV)/.installed
	$(BIN)/tutelage demo

test: $(VENV)/.installed-dev check
	$(BIN)/pytest -n 2 --dist loadfile

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Runs that are killed at random instants, resumed, and compared bit for bit with unbroken ones.
KILLS ?= 30
soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.soak --kills $(KILLS)

# Mutated data, recipes and templates: each is understood or refused, no row is lost, nothing crashes.
INPUTS ?= 2000
fuzz: $(VENV)/.installed-dev
	$(BIN)/python -m tests.hostile.fuzz --inputs $(INPUTS)

# Rebuild the bundled base model, given the corpora (TUTELAGE_SHARED). Hours on two CPU cores; see pupil/README.md.
pupil: $(VENV)/.installed-dev
	$(BIN)/python -m pupil.corpus
	$(BIN)/python -m pupil.tokenizer
	$(BIN)/python -m pupil.pretrain
	$(BIN)/python -m pupil.install

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,quant,peers,scale,bench,semantic]'
	touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache
