# Thin: the work is in scripts/. A target that needs the environment sets it up first.
PYTHON ?= python3
RUN := .venv/bin/python -m
export PYTHONPATH := layers/tenancy:.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Without kept bytecode every program compiles its packages at every start.
unexport PYTHONDONTWRITEBYTECODE

# The environment is made anew when its interpreter is gone.
BROKEN := $(shell .venv/bin/python -c '' 2>/dev/null || echo broken)

.PHONY: broken help up down demo test test-exhaustive prove test-clickhouse test-sam test-upgrade drill lint audit sbom openapi bench build deploy

help:  ## Show this
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 17

.venv/.synced: uv.lock pyproject.toml .python-version scripts/setup.py scripts/progress.py $(BROKEN)
	@$(PYTHON) -m scripts.setup
	@touch $@

up: .venv/.synced  ## Start the embedded stack and write its addresses to .local/stack.json
	@$(RUN) scripts.stack up

down: .venv/.synced  ## Stop it and keep its data under .local
	@$(RUN) scripts.stack down

demo: up  ## Run the main job on it: two organizations, their events, usage and statistics
	@$(RUN) scripts.demo

test: up  ## Run the tests, some of them on the deployed stack
	@$(RUN) pytest --numprocesses 4 --no-loadscope-reorder -m 'not exhaustive'

test-exhaustive: up  ## Run the tests that repeat a flow at each step, input, page or figure
	@$(RUN) pytest --numprocesses 4 --no-loadscope-reorder -m exhaustive

prove: .venv/.synced  ## Prove the isolation of organizations: run its tests, then disable each safeguard and see them fail
	@$(RUN) scripts.prove

test-clickhouse: .venv/.synced  ## Run the tests of ClickHouse on two real replicas (needs a Docker engine)
	@$(RUN) scripts.clickhouse_server

test-sam: .venv/.synced  ## Run every function under `sam local invoke` (needs a Docker engine)
	@$(RUN) scripts.sam_local

test-upgrade: .venv/.synced  ## Upgrade a stack of the release before to the last commit and back, with its data and traffic
	@$(RUN) scripts.upgrade

drill: up  ## Back up the databases under load, restore them into a second stack, and erase and revoke again there
	@$(RUN) scripts.restore drill

lint: .venv/.synced  ## Check style, types, imports, the template and security
	@ruff check --quiet && ruff format --check --quiet
	@mypy --no-error-summary
	@pyright --warnings
	@lint-imports --no-logo
	@sam validate --lint --region eu-central-1
	@$(RUN) scripts.security lint

audit: .venv/.synced  ## Compare the locked versions with the advisories of PyPI
	@$(RUN) scripts.security audit

sbom: .venv/.synced  ## Write the packages of the deployed layers to .local/security/sbom.cdx.json (CycloneDX)
	@$(RUN) scripts.security sbom

openapi: .venv/.synced  ## Write docs/openapi.json and docs/permissions.md from the routes
	@$(RUN) scripts.openapi

bench: up  ## Print the figures of docs/performance.md
	@$(RUN) scripts.bench

build: .venv/.synced  ## Build the bundle for AWS (arm64) into .aws-sam/build
	@$(RUN) scripts.build

deploy: .venv/.synced  ## Print what a deploy makes and costs, build and deploy it (STAGE=production for that stage)
	@$(RUN) scripts.deploy $(or $(STAGE),staging)
