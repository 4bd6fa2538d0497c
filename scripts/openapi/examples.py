"""Examples of the document: requests from the samples in events/, answers from docs/api.md."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl

from scripts.documents import parse_steps
from scripts.openapi.routes import ROOT, DeployedRoute
from tenancy.gateway.forms import FORM_TYPE

STAGE: Final = "/v1"
TOPIC: Final = re.compile(r"^## (?P<title>.+)$", re.MULTILINE)
SECTION: Final = re.compile(
    r"^### (?P<method>[A-Z]+) (?P<paths>/[^\n]+)\n(?P<purpose>[^\n]+)(?P<body>.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL
)
COMMAND: Final = re.compile(r"^(?:curl|pick|python3|until|[A-Z_]+=).*$", re.MULTILINE)  # its first line


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The section of a route in docs/api.md.

    *answer* is the first answer in it that is a whole document, or None.
    """

    topic: str
    purpose: str
    answer: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A request from events/ by the name of its file."""

    name: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@cache
def read_sections() -> dict[str, Section]:
    """Return the sections of docs/api.md by method and path."""
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    topics = list(TOPIC.finditer(text))
    sections = {}
    for found in SECTION.finditer(text):
        topic = [each["title"] for each in topics if each.start() < found.start()][-1]
        answers = list_answers(found["body"])
        section = Section(topic=topic, purpose=found["purpose"], answer=answers[0] if answers else None)
        for path in found["paths"].split(", "):
            sections[f"{found['method']} {path.removeprefix(STAGE)}"] = section
    return sections


def list_answers(section: str) -> list[Any]:
    """Return the whole answers in the text of a section: JSON that a last command, curl, prints."""
    steps = [step for step in parse_steps(section) if step.kind == "json"]
    return [json.loads(step.answer) for step in steps if _is_whole(COMMAND.findall(step.commands))]


def _is_whole(commands: list[str]) -> bool:
    return bool(commands) and commands[-1].startswith("curl ") and " -o " not in commands[-1]


def section_of(route: DeployedRoute) -> Section:
    """Return the section of *route*.

    Raises:
        LookupError: docs/api.md has no section of it.
    """
    section = read_sections().get(str(route))
    if section is None:
        raise LookupError(f"docs/api.md has no section of {route}.")
    return section


def list_samples(route: DeployedRoute, resource: str) -> list[Sample]:
    """Return the samples of *route*. An alias has those of another *resource*.

    Raises:
        LookupError: events/ has none.
    """
    samples = [
        _sample(name, event)
        for name, event in _read_events(route.function)
        if (event.get("httpMethod"), event.get("resource")) == (route.method, resource)
        and not event.get("isBase64Encoded")
    ]
    if not samples:
        raise LookupError(f"events/{route.function} has no sample of {route}.")
    return samples


def _read_events(function: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for file in sorted((ROOT / "events" / function).glob("*.json")):
        event = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(event, dict):
            yield file.stem, event


def _sample(name: str, event: Mapping[str, Any]) -> Sample:
    body = event.get("body")
    headers = {header.lower(): value for header, value in event["headers"].items()}
    return Sample(
        name=name,
        path=event.get("pathParameters") or {},
        query=event.get("queryStringParameters") or {},
        headers=headers,
        body=_read_body(body, headers.get("content-type")) if body else None,
    )


def _read_body(body: str, content_type: str | None) -> Any:  # noqa: ANN401 - JSON
    return dict(parse_qsl(body)) if content_type == FORM_TYPE else json.loads(body)
