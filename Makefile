# Everything that CI does, by the same commands. `make test` needs Python >= 3.11 and make.

PYTHON ?= python3
VENV ?= .venv
# On Linux, PyPI's torch brings CUDA (gigabytes). Where that is not wanted, give the index of
# torch's CPU builds:  make test TORCH_INDEX=<index url>
TORCH_INDEX ?=
PIP = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	-c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
RUN = $(VENV)/bin/python -m
EXAMPLE = EXAMPLE_FOLDER=$(CURDIR)/example_project \
	$(abspath $(VENV))/bin/python -m pytest --pareto --pareto-plot $(ARGS)

.PHONY: test example example-baseline outputs screenshots schema docs lint check cover calibration torture gpu bench matrix clean

test: $(VENV)/.test  ## install into a virtual environment and run the suite
	$(RUN) pytest -n auto

example: $(VENV)/.example  ## measure the example and judge it against its committed baseline
	cd example_project && $(EXAMPLE)

example-baseline: $(VENV)/.example  ## record the example's baseline for this machine
	cd example_project && $(EXAMPLE) --pareto-update=all

outputs: $(VENV)/.example  ## run every change of the example, and put its output into the docs
	$(VENV)/bin/python docs/record_outputs.py

schema: $(VENV)/.test  ## the published schema of JSON results, from the code
	$(VENV)/bin/python -c "from pytest_pareto.results.json_schema import *; SCHEMA_FILE.write_text(schema_text())"

docs: $(VENV)/.docs  ## make the site in docs/_build/html; warnings and dead links are errors
	$(RUN) sphinx -W --keep-going --nitpicky --quiet --fresh-env -d docs/_build/read docs docs/_build/html
	$(VENV)/bin/python docs/check_site.py docs/_build/html

screenshots: $(VENV)/.example  ## take the pictures of the HTML report; needs chromium
	$(PIP) -e '.[browser]'
	$(VENV)/bin/python docs/record_screenshots.py

lint: $(VENV)/.lint  ## style, types, import rules
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(VENV)/bin/lint-imports

check: lint test cover  ## what has to pass before a commit is pushed

cover: $(VENV)/.test  ## branch coverage of the rooms that must not be wrong
	$(RUN) pytest tests/model tests/stats tests/baseline tests/compare tests/judge tests/test_pipeline*.py \
		--cov --cov-report=term-missing

calibration: $(VENV)/.test  ## long simulations of the statistics, and the tables in the docs
	$(RUN) pytest -m slow
	$(RUN) benchmarks.calibration
	$(RUN) benchmarks.calibration.learning
	$(RUN) benchmarks.quality

torture: $(VENV)/.test  ## mutated files, kills, odd lives of a test, bombs; the fault matrix in the docs
	$(RUN) benchmarks.torture --markdown

gpu: $(VENV)/.test  ## what needs a CUDA device
	$(RUN) pytest -m gpu

bench: $(VENV)/.test  ## start-up cost, the time that judging and ten thousand cases take, the size of a page
	$(VENV)/bin/python benchmarks/startup.py
	$(VENV)/bin/python benchmarks/judging.py
	$(VENV)/bin/python benchmarks/html_report.py
	$(VENV)/bin/python benchmarks/scale.py --tests

matrix: $(VENV)-pytest8/.test  ## the plugin's tests on the oldest pytest that is supported
	$(VENV)-pytest8/bin/python -m pytest -n auto tests/plugin $(ARGS)

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python >= 3.11 is needed; name one: make test PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "$(PYTHON) has no venv; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.test: $(VENV)/.made pyproject.toml constraints.txt
	$(PIP) -e '.[test]'
	touch $@

$(VENV)/.example: $(VENV)/.made pyproject.toml constraints.txt example_project/requirements.txt
	$(PIP) -e . -r example_project/requirements.txt
	touch $@

$(VENV)/.lint: $(VENV)/.test
	$(PIP) -e '.[test,lint]'
	touch $@

$(VENV)/.docs: $(VENV)/.made pyproject.toml constraints.txt
	$(PIP) -e '.[docs]'
	touch $@

# Only pytest is another one: all else is taken from the first environment, not installed again.
$(VENV)-pytest8/.test: $(VENV)/.test
	$(PYTHON) -m venv $(VENV)-pytest8
	$(VENV)-pytest8/bin/python -m pip install --quiet --disable-pip-version-check pytest==8.4.2
	others=$$($(VENV)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))") && \
		echo "import site; site.addsitedir('$$others')" > \
		$$($(VENV)-pytest8/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/others.pth
	$(VENV)-pytest8/bin/python -c "import pytest, torch, pytest_pareto; assert pytest.__version__ == '8.4.2'"
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-pytest8 build dist docs/_build .coverage .*_cache
