# Each target does its own set-up, once. See `make help`.
PYTHON ?= python3
export PORT DATA LITE ONLY

.DEFAULT_GOAL := help
.PHONY: demo test test-fast bench soak lint lock docs setup help

demo: ## the console on this machine with real data [PORT=8600] [DATA=folder] [LITE=1: without the real components]
	@$(PYTHON) tools/run.py demo
test: ## all tests, the fast ones first; installs what they need
	@$(PYTHON) tools/run.py test
test-fast: ## the inner loop: without browser, real servers and slow tests
	@$(PYTHON) tools/run.py test-fast
bench: ## measure against the goals of docs/ [ONLY="sessions audit": these benches]
	@$(PYTHON) tools/run.py bench
soak: ## long runs under load and kills [ONLY="load streams": these]
	@$(PYTHON) tools/run.py soak
lint: ## style, types, boundaries between packages, the console's checks
	@$(PYTHON) tools/run.py lint
lock: ## write constraints.txt and the generated part of pyproject.toml again
	@$(PYTHON) tools/run.py lock
docs: ## write docs/reference from the code again
	@$(PYTHON) tools/run.py docs
setup: ## only the set-up that the others do
	@$(PYTHON) tools/run.py setup
help: ## this list
	@$(PYTHON) tools/run.py help
