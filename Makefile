# netc. `make` alone lists what can be made; each target needs Python 3.11 or newer and nothing else.

VENV := .venv
BIN := $(VENV)/bin
CUDA ?= 13
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do $$python $(NEW_ENOUGH) && echo $$python && break; done)

.DEFAULT_GOAL := help
.PHONY: help setup demo test slow check bench bench-gpu accuracy cudnn editor

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/installed-core ## the environment in .venv, with .venv/bin/netc

demo: setup ## what netc says about a small net, a layer of a large one, two nets side by side; then trains the small one twice
	$(BIN)/netc check lenet
	$(BIN)/netc check resnet:50 --explain layer2.0.conv2
	$(BIN)/netc diff resnet:50 resnet:50-v1
	$(BIN)/netc train lenet --data digits --epochs 10 --set train.optimizer.sgd.rate=0.05
	$(BIN)/netc train lenet --data fashion-mini --epochs 10 --set train.optimizer.sgd.rate=0.05

test: $(VENV)/installed-test ## the whole test suite
	$(BIN)/python -m pytest -n auto $(PYTEST)

slow: $(VENV)/installed-test ## nets that are trained until they reach their scores, and cuDNN plans of all variants; some minutes
	$(BIN)/python -m pytest -n 0 -m slow $(PYTEST)

check: $(VENV)/installed-check ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup $(VENV)/installed-image ## how long checking, compiling, reading pictures and training take, beside PyTorch; PEER=python names one that has it
	$(BIN)/python tests/benchmarks/front_end.py
	$(BIN)/python tests/benchmarks/plans.py
	$(BIN)/python tests/benchmarks/loader.py
	$(BIN)/python tests/benchmarks/against_torch.py
	$(BIN)/python tests/benchmarks/cpu.py --peer-python $(or $(PEER),$(BIN)/python)

accuracy: setup ## nets trained on all of Fashion-MNIST, and what they reach; a quarter of an hour
	$(BIN)/python tests/benchmarks/accuracy.py

bench-gpu: $(VENV)/installed-test $(VENV)/installed-cuda$(CUDA) ## on a GPU: is all right, how fast is it beside PyTorch; PEER=python, CUDA=12 for an older driver
	$(BIN)/python tests/benchmarks/gpu.py $(if $(PEER),--peer-python $(PEER))

cudnn: $(VENV)/installed-test $(VENV)/installed-cudnn ## asks cuDNN for plans of all convolutions of the zoo, without a GPU; some minutes, 1 GB of packages
	$(BIN)/python tests/cudnn_plans.py

editor: $(VENV)/installed-test ## the schema in the YAML language server; needs Node 20 and npm
	npm install --prefix tests/editor --no-audit --no-fund --no-package-lock
	$(BIN)/python -m pytest tests/editor/editor.py

# The stamps say that what pyproject.toml asks for is there: for netc itself, or with one of its extras.
$(VENV)/installed-%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.$(if $(filter-out core,$*),[$*])'
	@touch $@

$(BIN)/python:
	@test -n '$(PYTHON)' || { echo 'netc needs Python 3.11 or newer. Install one, or name it: make PYTHON=/path/to/python3'; exit 1; }
	@$(PYTHON) $(NEW_ENOUGH) || { echo '$(PYTHON) is older than Python 3.11'; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo 'This Python makes no environments; on Debian: apt-get install python3-venv'; exit 1; }
