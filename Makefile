# kefud. `make demo` and `make test` do all the set-up they need; `make help` lists the rest.

VENV := .venv
PY   := $(VENV)/bin/python
# What the machine must have before the first environment can be made, asked for together with the rest.
FIRST = $(if $(wildcard $(VENV)/.locked),,venv)
unexport PYTHONDONTWRITEBYTECODE
# Dovecot, which the tests and the demo start on loopback, lies where ordinary users do not look.
export PATH := $(PATH):/usr/sbin:/sbin

.PHONY: help venv demo test lint format accept bench torture install uninstall dist lock clean FORCE
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

# ── The environment: the locked versions, then kefud itself from this checkout ──────────────────────────────────────

venv: $(VENV)/.ready ## the virtual environment .venv with everything for demo, tests and lint

$(VENV)/.locked: requirements/dev.txt
	@scripts/bootstrap.sh packages venv
	@scripts/bootstrap.sh venv $(VENV)
	@touch $@

# A checkout that was moved or copied needs its own path in the environment.
ifneq ($(shell cat $(VENV)/.ready 2>/dev/null),$(CURDIR))
$(VENV)/.ready: FORCE
endif
$(VENV)/.ready: $(VENV)/.locked pyproject.toml
	@$(PY) -m pip --disable-pip-version-check install -q --no-deps --no-build-isolation --no-index --editable .
	@printf '%s\n' '$(CURDIR)' > $@

FORCE:

# ── The two commands of the README ──────────────────────────────────────────────────────────────────────────────────

demo: ## the whole system on this machine alone: mail, calls and letters in, work orders out (KEEP=DIR keeps the files)
	@scripts/bootstrap.sh packages demo $(FIRST)
	@$(MAKE) --no-print-directory venv
	@$(PY) -m kefud demo $(if $(KEEP),--keep "$(KEEP)")

test: ## the tests, three files at a time (ARGS="tests/desk -k calendar" for some of them, one by one)
	@scripts/bootstrap.sh packages test $(FIRST)
	@$(MAKE) --no-print-directory venv
	@$(PY) -m pytest $(or $(ARGS),-n 3 --dist loadfile --no-loadscope-reorder)

# ── For those who change kefud ──────────────────────────────────────────────────────────────────────────────────────

lint: venv ## ruff, and mypy --strict on src
	@$(PY) -m ruff check .
	@$(PY) -m mypy

format: venv ## put imports and spacing in order
	@$(PY) -m ruff check --fix-only --select I .
	@$(PY) -m ruff format src plugins tests

accept: ## a folder of samples through the real daemon: make accept SAMPLES=DIR
	@test -d "$(SAMPLES)" || { echo 'usage: make accept SAMPLES=DIR (a folder with mail/, phone/, box/ and expected.json)' >&2; exit 64; }
	@scripts/bootstrap.sh packages test $(FIRST)
	@$(MAKE) --no-print-directory venv
	@$(PY) tests/acceptance/run.py "$(SAMPLES)"

bench: ## the benchmarks, one JSON document on standard output (PROFILE=1 says where the time goes)
	@scripts/bootstrap.sh packages test $(FIRST)
	@$(MAKE) --no-print-directory venv >&2
	@$(PY) tests/bench/run.py $(if $(PROFILE),--profile)

torture: ## kill the daemon again and again, nothing may be lost or doubled (N=200 kills)
	@scripts/bootstrap.sh packages torture $(FIRST)
	@$(MAKE) --no-print-directory venv
	@KEFUD_TORTURE=$(or $(N),200) $(PY) -m pytest -o addopts=--import-mode=importlib -v tests/torture

# ── A server ────────────────────────────────────────────────────────────────────────────────────────────────────────

install: ## as root: user, /opt/kefud, /etc/kefud, the systemd unit; again to upgrade
	@scripts/install.sh install

uninstall: ## as root: takes that away again, but for configuration and data
	@scripts/install.sh uninstall

dist: venv ## the wheel and the source archive in dist/
	@$(PY) -m hatchling build --clean

lock: ## write requirements/*.txt anew from pyproject.toml (UPGRADE=1 takes the newest versions)
	@scripts/lock.sh $(if $(UPGRADE),--upgrade)

clean: ## remove everything that was made here
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
