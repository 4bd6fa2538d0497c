"""Previous release: the processor time of whole requests, in this code and in that release."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

from scripts.bench.events import make_body
from scripts.bench.figure import Effort, Figure
from scripts.bench.releases.pair import Pair, Request, Route
from scripts.bench.releases.process import function_process
from scripts.bench.releases.release import THIS_CODE, earlier_release
from scripts.bench.releases.side import ReleaseInUse, side_of

VALKEY_DATABASES: Final = (3, 4)  # of our side and of the other one


def _ingest(events: int) -> Request:
    def request(side: ReleaseInUse) -> float:
        return side.call("ingest/events", "wk", body=make_body(events).decode())[1]

    return request


def _read(name: str, caller: str) -> Request:
    return lambda side: side.call(name, caller)[1]


def _create_and_revoke(side: ReleaseInUse) -> float:
    body = json.dumps({"type": "secret", "name": "Bench"})
    answer, created = side.call("keys/create_secret_key", "sk", body=body)
    key_id = json.loads(answer["body"])["id"]
    return created + side.call("keys/revoke", "sk", path={"key_id": key_id})[1]


def _authorize(side: ReleaseInUse) -> float:
    return side.authenticate(side.functions["authorizer"], "sk")[1]


def _authorize_cold(side: ReleaseInUse) -> float:
    with function_process(side.release, "authorizer", side.aws.url) as process:
        return process.import_seconds + side.authenticate(process, "sk")[1]


ROUTES: Final[Mapping[str, Route]] = {
    "provision": Route(function="provision", request=lambda side: side.provision()[1], requests=6),
    "ingest, 1 event": Route(function="ingest", request=_ingest(1), requests=100),
    "ingest, 100 events": Route(function="ingest", request=_ingest(100), requests=50),
    "ingest, 1,000 events": Route(function="ingest", request=_ingest(1_000), requests=16),
    "usage": Route(function="usage", request=_read("usage/usage", "sk"), requests=12),
    "statistics": Route(function="usage", request=_read("usage/stats", "sk"), requests=20),
    "list of keys": Route(function="keys", request=_read("keys/list", "sk"), requests=40),
    "create and revoke a key": Route(function="keys", request=_create_and_revoke, requests=12),
    "list of organizations": Route(function="provision", request=_read("provision/list", "pk"), requests=40),
    "authorizer": Route(function="authorizer", request=_authorize, requests=100),
    "authorizer, cold start": Route(function="authorizer", request=_authorize_cold, requests=2),
}
SMALLEST: Final = 2  # routes


def measure(effort: Effort) -> Figure:
    """Measure with the stack's servers, in databases of each release's own.

    The smallest size compares this code with itself, so it needs neither the other commit nor its packages.
    """
    chosen = dict(list(ROUTES.items())[: effort.size(len(ROUTES), SMALLEST)])
    earlier = THIS_CODE if effort.smallest else earlier_release()
    compared = {name: route for name, route in chosen.items() if earlier.app(route.function).exists()}
    with ExitStack() as stack:
        functions = [route.function for route in compared.values()]
        sides = [
            stack.enter_context(side_of(release, functions, database))
            for release, database in zip(dict.fromkeys((THIS_CODE, earlier)), VALKEY_DATABASES, strict=False)
        ]
        ours, theirs = sides[0], sides[-1]  # one and the same at the smallest size
        pairs = {name: Pair(route, ours, theirs) for name, route in compared.items()}
        comparisons = [pair.compare(name, effort) for name, pair in pairs.items()]
    return Figure(
        name="previous_release",
        unit="milliseconds of processor time for a request, less is better",
        measured="a function of this code in a process of its own, all threads, from API Gateway's request to the "
        "answer: the median of a round. A cold start is the import and the first request. PostgreSQL, Valkey and "
        "ClickHouse are the stack's, AWS is a stand-in.",
        reference=f"the same request to {earlier.name}, in turn with it: its own code, schema and sample requests, in "
        "databases of its own on the same servers, with the packages of its lock",
        comparisons=comparisons,
        notes=[
            "Round trips of a request to each server, and PostgreSQL's processor time for it:",
            *(f"{name}: {pair.describe()}." for name, pair in pairs.items()),
            *(f"{name}: {earlier.name} does not have it." for name in chosen if name not in compared),
        ],
    )
