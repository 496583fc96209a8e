# `make help` lists the targets.
SHELL := /bin/bash
PYTEST := .venv/bin/pytest
CLOUD ?= lab
KILLS ?= 20
WITHIN ?= 60
SEED ?= 0
EXAMPLES ?= 20000
PYTHONS ?= $(shell .venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
LAB ?=
unexport PYTHONDONTWRITEBYTECODE  # compiling all of OpenStack anew doubles every start

.PHONY: help setup suite site sbom bundle accept faults lifecycle test lint types unit system sweep metal nightly torture bench lock clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

setup:  ## install everything that is pinned (first use: about a minute)
	@scripts/setup.sh

suite:  ## install the suite alone, without the lab and what tests it: also on RHEL and Rocky 9
	@scripts/setup.sh suite

accept: setup  ## run the whole acceptance on the embedded lab (CLOUD=name for another cloud)
	$(PYTEST) suites/ --cloud $(CLOUD)

lifecycle: setup  ## resize, migrate, shelve, refuse: what instances with cards go through (CLOUD=name; about five minutes)
	$(PYTEST) suites/lifecycle suites/tenants --cloud $(CLOUD) -n 2

test: setup lint types unit  ## check our own code: style, types, tests

lint:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports --no-logo
	shellcheck scripts/*.sh .ci/run

types:
	.venv/bin/mypy conftest.py gpu_acceptance fixtures/*.py access cloud_file discovery faults judging lab preflight probes \
	  provisioning reports suites \
	  tests/suites/{deployment,model_api,model_cloud,model_hosts,proving,suite_checks}.py tests/suites/test_*can_fail.py

unit:
	$(PYTEST) tests --ignore tests/system -n 2

system: setup  ## run whole acceptances: bad input, interruptions, faults, access, discovery (about eight minutes)
	$(PYTEST) tests/system -x -n 2 --dist loadfile

faults: setup  ## put every fault of the catalogue into labs and print what was found (about 15 minutes)
	.venv/bin/python -m faults --name faults run --jobs 3 --json .lab/faults-score.json

sweep: setup  ## accept every card of a fleet of 12 servers of 8 (about three minutes)
	$(PYTEST) suites/ --cloud lab-fleet --every-card
	.venv/bin/python -m lab --name fleet destroy

metal: setup  ## accept a GPU host that is a virtual machine (docs/metal.md)
	.venv/bin/python -m lab --name metal up --tier metal
	$(PYTEST) suites/hosts suites/control_plane --cloud lab-metal
	.venv/bin/python -m lab --name metal destroy

nightly: setup  ## the property tests with 100,000 examples each (about fifty minutes)
	$(PYTEST) tests/probes -n 2 --dist worksteal --hypothesis-profile nightly

torture: setup  ## kill runs at random moments and damage inputs (KILLS=20 EXAMPLES=20000 SEED=0; nightly, about two hours)
	TORTURE_EXAMPLES=$(EXAMPLES) $(PYTEST) tests/torture tests/probes --hypothesis-profile torture \
	  --kills $(KILLS) --kills-within $(WITHIN) --kills-seed $(SEED)

bench: setup  ## measure times and memory of the main job, a large report, a year of nights, and of asking many hosts
	.venv/bin/python scripts/bench.py
	.venv/bin/python scripts/bench_reports.py
	.venv/bin/python scripts/bench_history.py
	.venv/bin/python scripts/bench_hosts.py --json docs/scale.json
	.venv/bin/python scripts/draw_scale.py

site: setup  ## the documentation as pages with a search: .tools/html/index.html
	.venv/bin/uv venv --quiet --allow-existing .tools/site
	.venv/bin/uv pip install --quiet --python .tools/site/bin/python -r requirements/site.txt
	.venv/bin/python scripts/make_site.py .tools/pages
	NO_MKDOCS_2_WARNING=1 .tools/site/bin/mkdocs build --quiet --strict

sbom:  ## every package of the suite with its hashes, CycloneDX: .tools/sbom.cdx.json
	.venv/bin/uv venv --quiet --allow-existing .tools/bundle
	.venv/bin/uv pip install --quiet --python .tools/bundle/bin/python -r requirements/bundle.txt
	.tools/bundle/bin/cyclonedx-py requirements requirements/suite.txt --pyproject pyproject.toml --mc-type application \
	  --output-reproducible --validate --of JSON -o .tools/sbom.cdx.json

bundle: site sbom  ## all that a machine without internet needs: dist/ (PYTHONS="3.11 3.12" LAB=1)
	.venv/bin/python scripts/make_bundle.py $(PYTHONS:%=--python %) $(if $(LAB),--lab) \
	  --site .tools/html --sbom .tools/sbom.cdx.json

lock:  ## resolve requirements/*.in again
	for name in suite dev lab site bundle; do \
	  .venv/bin/uv pip compile --quiet --no-header --universal --no-emit-index-url --no-emit-find-links \
	    --generate-hashes --python-version 3.11 --upgrade requirements/$$name.in -o requirements/$$name.txt; \
	done

clean:  ## stop and remove every lab and environment of this checkout
	-.venv/bin/python -m lab destroy --all
	rm -rf .venv .lab
