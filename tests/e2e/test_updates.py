"""Functions are updated and rolled back under traffic, as `make test-upgrade` does with whole releases."""

import io
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from typing import Any, Final

import pytest

from scripts.deploy.versions import ALIAS
from scripts.upgrade.clients import Clients
from scripts.upgrade.ledger import read_ledger
from tests.e2e.conftest import Provision
from tests.e2e.deployed import Api, Stack

pytestmark = pytest.mark.alone

UPDATED: Final = ("Authorizer", "Ingest", "Load", "Usage")
ANSWERS: Final = 20  # before and after each step


def code_of(functions: Any, name: str) -> bytes:  # noqa: ANN401 - boto3 makes its clients at run time
    location = functions.get_function(FunctionName=name)["Code"]["Location"]
    with urllib.request.urlopen(location, timeout=60) as response:
        return bytes(response.read())


def with_another_file(code: bytes) -> bytes:
    """Return the archive with a file more, as a release with other code."""
    changed = io.BytesIO(code)
    with zipfile.ZipFile(changed, "a") as archive:
        archive.writestr(f"release-{time.time_ns()}.txt", "")
    return changed.getvalue()


@pytest.fixture
def updated(stack: Stack) -> Iterator[dict[str, list[str]]]:
    """Publish a version with other code of each function, and yield the live version and the new one by its name."""
    functions = stack.client("lambda")
    names = [stack.physical_id(each) for each in UPDATED]
    live = {name: functions.get_alias(FunctionName=name, Name=ALIAS)["FunctionVersion"] for name in names}
    code = {name: code_of(functions, name) for name in names}
    for name in names:
        functions.update_function_code(FunctionName=name, ZipFile=with_another_file(code[name]))
    yield {name: [live[name], functions.publish_version(FunctionName=name)["Version"]] for name in names}
    for name in names:
        functions.update_function_code(FunctionName=name, ZipFile=code[name])
        functions.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=live[name])  # also after a failure


def test_update_and_roll_back_disturb_no_client(
    stack: Stack, api: Api, provision: Provision, updated: dict[str, list[str]]
) -> None:
    functions = stack.client("lambda")
    owners = [provision(name, "enterprise") for name in ("acme", "globex")]

    with Clients(api.url, owners) as clients:
        clients.wait_for_answers(ANSWERS)
        for step, index in (("update", 1), ("roll-back", 0)):
            clients.enter(step)
            for name, versions in updated.items():
                functions.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=versions[index])
            clients.wait_for_answers(ANSWERS)

    assert clients.answers.faults() == []
    ledgers = [read_ledger(stack.clickhouse_url, each.id, clients.sent[each.id]) for each in owners]
    assert [ledger.faults() for ledger in ledgers] == [[], []]
    stack.invoke("RollUp")
    for owner, ledger in zip(owners, ledgers, strict=True):
        used = api.get("/usage", owner.secret_key).document["quotas"]["events"]["used"]
        counted = sum(row["events"] for row in api.get("/stats?group_by=day", owner.secret_key).document["data"])
        assert ledger.billing_faults(used=used, counted=counted) == []
