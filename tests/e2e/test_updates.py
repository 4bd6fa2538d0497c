"""Aliases follow new versions of functions under traffic, and go back. `make test-upgrade` does so with releases."""

import io
import time
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
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


def publish(functions: Any, name: str, code: bytes) -> str:  # noqa: ANN401 - boto3 makes its clients at run time
    """Publish a version of the function with *code*, and return its number."""
    return str(functions.update_function_code(FunctionName=name, ZipFile=code, Publish=True)["Version"])


def follow(functions: Any, versions: Mapping[str, str]) -> None:  # noqa: ANN401 - boto3 makes its clients at run time
    """Let all callers of these functions follow the *versions*."""
    for name, version in versions.items():
        functions.update_alias(FunctionName=name, Name=ALIAS, FunctionVersion=version)


@pytest.fixture
def deployed(stack: Stack) -> Iterator[tuple[Any, dict[str, str], dict[str, bytes]]]:
    """Return the client of Lambda, with version and code of the functions. Afterwards both are as before."""
    functions = stack.session().client("lambda", endpoint_url=stack.aws_endpoint_url)
    names = [stack.physical_id(each) for each in UPDATED]
    versions = {name: functions.get_alias(FunctionName=name, Name=ALIAS)["FunctionVersion"] for name in names}
    codes = {name: code_of(functions, name) for name in names}
    yield functions, versions, codes
    follow(functions, versions)
    for name, code in codes.items():
        functions.update_function_code(FunctionName=name, ZipFile=code)


def with_another_file(code: bytes) -> bytes:
    """Return the archive with a file more, as a release with other code."""
    changed = io.BytesIO(code)
    with zipfile.ZipFile(changed, "a") as archive:
        archive.writestr(f"release-{time.time_ns()}.txt", "")
    return changed.getvalue()


def test_update_and_roll_back_disturb_no_client(
    stack: Stack, api: Api, provision: Provision, deployed: tuple[Any, dict[str, str], dict[str, bytes]]
) -> None:
    functions, versions, codes = deployed
    owners = [provision(name, "enterprise") for name in ("acme", "globex")]

    with Clients(api.url, owners) as clients:
        clients.wait_for_answers(ANSWERS)
        clients.enter("update")
        follow(functions, {name: publish(functions, name, with_another_file(code)) for name, code in codes.items()})
        clients.wait_for_answers(ANSWERS)
        clients.enter("roll-back")
        follow(functions, versions)
        clients.wait_for_answers(ANSWERS)

    assert clients.answers.faults() == []
    ledgers = [read_ledger(stack.clickhouse_url, each.id, clients.sent[each.id]) for each in owners]
    assert [ledger.faults() for ledger in ledgers] == [[], []]
    stack.invoke("RollUp")
    for owner, ledger in zip(owners, ledgers, strict=True):
        used = api.get("/usage", owner.secret_key).document["quotas"]["events"]["used"]
        counted = sum(row["events"] for row in api.get("/stats?group_by=day", owner.secret_key).document["data"])
        assert ledger.billing_faults(used=used, counted=counted) == []
