"""Handlers as Lambda would have them: their own app.py, their own variables, log lines made but shown to nobody."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from scripts.bench import ROOT


@contextmanager
def loaded(name: str, aws_url: str) -> Iterator[ModuleType]:
    """Yield functions/*name*/app.py, with AWS at *aws_url*."""
    os.environ |= {
        "AWS_ENDPOINT_URL": aws_url,
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "SECRETS_PREFIX": "tenancy/bench",
        "EVENTS_QUEUE_URL": f"{aws_url}/events",
        "DEAD_LETTERS_URL": f"{aws_url}/dead-letters",
        "AUDIT_QUEUE_URL": f"{aws_url}/audit",
        "BASE_DOMAIN": "attribution.example",
        "REDIS_PATIENCE_MS": "50",
    }
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        yield _import(ROOT / "functions" / name / "app.py")


def sample(name: str) -> dict[str, Any]:
    """Return a request from events/, *name* says which (`ingest/events`)."""
    document: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return document


def _import(file: Path) -> ModuleType:
    spec = spec_from_file_location("app", file)
    if spec is None or spec.loader is None:
        sys.exit(f"{file} is no module")
    app = module_from_spec(spec)
    spec.loader.exec_module(app)
    return app
