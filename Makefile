# `make help` lists what there is. Needs make and Python 3.11 to 3.14; uv is used when it is there.

PYTHONPATH := layers/shared/python:functions:.
export PYTHONPATH

BIN := .venv/bin
VENV := .venv/.stamp

# Heavy tools live in environments of their own, made when a target first needs one:
# `some-target: .tools/NAME/.stamp`, then `.tools/NAME/bin/...`.
TOOL_uv := uv==0.13.8
TOOL_sam := aws-sam-cli==1.170.0
TOOL_checkov := checkov==3.3.30
TOOL_pip-audit := pip-audit==2.10.1

# Our import path and our own flags are not for sam, which calls make again.
SAM := env -u PYTHONPATH -u MAKEFLAGS -u MAKELEVEL SAM_CLI_TELEMETRY=0 .tools/sam/bin/sam

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

.PHONY: help
help: ## Show this list
	@echo "StudyPack: make TARGET"
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  %-17s %s\n", $$1, $$2 }' Makefile

.PHONY: run
run: $(VENV) ## Start everything on this machine and print the addresses; Ctrl-C stops it, data stays
	@$(BIN)/python -m local run

.PHONY: demo
demo: $(VENV) ## Walk through a learner's whole journey over HTTP
	@$(BIN)/python -m local.demo

.PHONY: test
test: check pytest ## Check and test: what CI runs

# The last part is the rest; a part of which ARGS leaves nothing (5) is no failure.
TEST_PARTS := tests/api \
	tests/architecture,tests/fuzz,tests/local \
	tests,--ignore=tests/api,--ignore=tests/architecture,--ignore=tests/fuzz,--ignore=tests/local

.PHONY: pytest
pytest: $(VENV) ## Run the tests only (ARGS="-k name" narrows them)
	@# In parts: one run of thousands of databases in one cluster gets slower as it goes.
	@for part in $(TEST_PARTS); do \
		echo "pytest $$part"; \
		$(BIN)/pytest -n 2 $$(echo $$part | tr , ' ') $(ARGS); code=$$?; \
		test $$code -eq 0 || test $$code -eq 5 || exit $$code; \
	done

.PHONY: fuzz
fuzz: $(VENV) ## Try every documented operation with 60 inputs of each kind (minutes)
	@FUZZ_EXAMPLES=60 $(BIN)/pytest -n 2 tests/fuzz $(ARGS)

.PHONY: bench-test
bench-test: $(VENV) ## Test the benchmarks with what they compare ours to (installs it)
	@$(BIN)/pytest -m beside_others tests/benchmarks $(ARGS)

.PHONY: faults
faults: $(VENV) ## Kill, cut, lock and overload for real (minutes); what was lost, doubled or stuck
	@$(BIN)/pytest -q -p no:randomly -m faults tests/faults $(ARGS)

.PHONY: check
check: $(VENV) ## Lint, types, floors, the template, the OpenAPI document
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cfn-lint template.yaml edge.yaml
	$(BIN)/python -m local.openapi --check
	@$(MAKE) --no-print-directory advisories

.PHONY: advisories
advisories: $(VENV) ## Look for known vulnerabilities of the locked dependencies (passes without a network)
	@$(MAKE) --no-print-directory -s .tools/pip-audit/.stamp >/dev/null 2>&1 || :
	@$(BIN)/python -m local.audit .tools/pip-audit/bin/pip-audit

.PHONY: checkov
checkov: .tools/checkov/.stamp ## Look for unsafe settings in the template (.checkov.yaml has the exceptions)
	@env -u PYTHONPATH .tools/checkov/bin/checkov --config-file .checkov.yaml && echo "checkov: clean"

.PHONY: bench
bench: $(VENV) ## Run the benchmarks and print their tables
	@$(BIN)/python -m benchmarks

.PHONY: openapi
openapi: $(VENV) ## Write docs/openapi.json from the routes
	@$(BIN)/python -m local.openapi

.PHONY: migrate
migrate: $(VENV) ## Bring the local database to the newest schema
	@$(BIN)/python -m local migrate

.PHONY: seed
seed: $(VENV) ## Fill the local database with the sample courses and people
	@$(BIN)/python -m local seed

.PHONY: course-import
course-import: $(VENV) ## Write the course in a folder to the local database, or DATABASE_URL's (DIR=...)
	@test -n "$(DIR)" || { echo "usage: make course-import DIR=local/content/courses/SLUG" >&2; exit 2; }
	@$(BIN)/python -m local.course_files import "$(DIR)"

.PHONY: course-export
course-export: $(VENV) ## Write a course of the database into a folder (COURSE=slug DIR=...)
	@test -n "$(COURSE)" && test -n "$(DIR)" || { \
		echo "usage: make course-export COURSE=python-programming DIR=some/folder" >&2; exit 2; }
	@$(BIN)/python -m local.course_files export "$(COURSE)" "$(DIR)"

.PHONY: course-roundtrip
course-roundtrip: $(VENV) ## Take the sample courses through an empty database and back: what differs?
	@$(BIN)/python -m local.course_files roundtrip

.PHONY: sync-products
sync-products: $(VENV) ## Bring Stripe up to the price list (STRIPE_API_KEY names the account; `run` does it itself)
	@$(BIN)/python -m local stripe-sync

.PHONY: invoke
invoke: $(VENV) ## Run one function as Lambda would (FUNCTION=cron.job EVENT=events/cron/job.json)
	@test -n "$(FUNCTION)" && test -n "$(EVENT)" || { echo "usage: make invoke \
	FUNCTION=cron.submit_expired_exams EVENT=events/cron/submit_expired_exams.json" >&2; exit 2; }
	@$(BIN)/python -m local.invoke "$(FUNCTION)" --event "$(EVENT)"

.PHONY: build
build: $(VENV) .tools/sam/.stamp ## Build what is deployed: an artifact a function, and the layer
	@$(SAM) validate --lint
	@$(SAM) build
	@$(BIN)/python -m local.build sizes

.PHONY: artifacts-test
artifacts-test: build ## Run every artifact on AWS's runtime emulator
	@$(BIN)/pytest -m artifacts tests/artifacts $(ARGS)

.PHONY: certificates
certificates: ## Fetch the authorities that sign Aurora's certificates (needed before `make build`)
	@curl --fail --silent --show-error --proto =https --tlsv1.2 -o layers/certificates/rds.pem.new \
		https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
	@grep -q "BEGIN CERTIFICATE" layers/certificates/rds.pem.new
	@mv layers/certificates/rds.pem.new layers/certificates/rds.pem
	@echo "layers/certificates/rds.pem: $$(grep -c 'BEGIN CERT' layers/certificates/rds.pem) authorities"

.PHONY: deploy
deploy: build ## Deploy what samconfig.toml says (STAGE=dev, PARAMETERS="DatabaseUrl=...")
	@test -n "$(STAGE)" || { echo "usage: make deploy STAGE=dev|prod [PARAMETERS=\"Name=value\"]" >&2; exit 2; }
	@$(SAM) deploy --config-env "$(STAGE)" --parameter-overrides \
		$$($(BIN)/python -c 'import sys, tomllib; print(*tomllib.load(open("samconfig.toml", "rb"))[ \
		sys.argv[1]]["deploy"]["parameters"]["parameter_overrides"])' "$(STAGE)") \
		Build=$$(git rev-parse --short HEAD)-$$(date -u +%Y%m%d%H%M%S) $(PARAMETERS)

.PHONY: emails
emails: $(VENV) ## Write every mail as html and text, and pictures of them all, to build/emails
	@$(BIN)/python -m local.emails

.PHONY: simulate
simulate: $(VENV) ## Play users under a simulated clock: which mails they get, and why (SCENARIO="name ...")
	@$(BIN)/python -m local.simulate $(SCENARIO)

.PHONY: verify-receipt
verify-receipt: $(VENV) ## Check an exam receipt (FILE=receipt.json KEY=public-keys.json)
	@test -n "$(FILE)" || { echo "usage: make verify-receipt FILE=receipt.json [KEY=keys.json]" >&2; exit 2; }
	@$(BIN)/python -m local.verify_receipt "$(FILE)" $(if $(KEY),--key "$(KEY)")

.PHONY: lock
lock: ## Write requirements.lock and the layer's pins again from pyproject.toml
	@command -v uv >/dev/null || $(MAKE) --no-print-directory .tools/uv/.stamp
	@PATH="$$PATH:$(CURDIR)/.tools/uv/bin" uv pip compile -q pyproject.toml \
		--group api --group pdf --group workers --group local --group dev \
		--universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url -o requirements.lock
	@PATH="$$PATH:$(CURDIR)/.tools/uv/bin" local/lock-layer.sh
	@echo "requirements.lock and the layer's are written; the next target installs them"

.PHONY: clean
clean: ## Remove caches, tools and .venv; the data in .local stays
	@if [ -x $(BIN)/python ] && [ -d .local ]; then \
		$(BIN)/python -m local.postgres stop || :; fi
	@rm -rf .venv .tools .aws-sam .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "caches, tools and .venv are removed; the data in .local is kept (make clean-data)"

.PHONY: clean-data
clean-data: $(VENV) ## Stop the local database and remove its data, and the Stripe stand-in's
	@$(BIN)/python -m local clean-data

$(VENV): requirements.lock
	@local/bootstrap.sh

.PRECIOUS: .tools/%/.stamp
.tools/%/.stamp: Makefile
	@test -n "$(TOOL_$*)" || { echo "no tool is called $*" >&2; exit 2; }
	@local/bootstrap.sh tool "$*" "$(TOOL_$*)"
