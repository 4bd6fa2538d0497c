"""tenantctl on the deployed stack: each example of each help works, and each JSON has its schema."""

import base64
import json
import re
import secrets
import shlex
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from scripts.demo import client
from scripts.demo.next_steps import describe_sign_in, list_calls, list_operator_commands
from scripts.tenantctl.commands import OUTPUTS, Output, examples_of
from tests.e2e.conftest import STACK_FOLDER, Provision
from tests.e2e.deployed import Api, Organization, Stack
from tests.given import ROOT
from tests.stack_turns import sharing_stack
from tests.tenantctl.processes import Done, Tenantctl
from tests.tenantctl.test_commands import COMMANDS

KEY_ID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"  # of the examples
ERASED_ID = "9f74a91a-111e-43c6-8955-d43e11c6bfc3"  # of the examples
PASSWORD = "correct horse battery staple"
ERASURE_WAIT_SECONDS = 600.0  # only a failure waits so long
OPENAPI: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text())
SCOPES = ["events:read", "keys:read", "keys:write", "stats:read", "usage:read"]
# Commands that need an organization of their own. The examples of all others share one.
CHANGING = {"orgs delete", "orgs restore", "orgs suspend"}

type Prepare = Callable[["World", Organization], dict[str, str]]


class World:
    """The stack, and tenantctl in a folder with the files that the examples name."""

    def __init__(self, stack: Stack, api: Api, folder: Path, provision: Provision) -> None:
        self.stack = stack
        self.api = api
        self.provision = provision
        self.tenantctl = Tenantctl(folder)
        (folder / ".local").symlink_to(STACK_FOLDER)
        (folder / "password").write_text(f"{PASSWORD}\n")
        self.key_folder = folder

    def run(self, command: str, replaced: Mapping[str, str], secret_key: str) -> Done:
        for name, value in {"--subdomain initech": f"--subdomain initech-{secrets.token_hex(4)}", **replaced}.items():
            command = re.sub(rf"(?<![\w@.-]){re.escape(name)}(?![\w.-])", value, command)
        return self.tenantctl.run_line(command, TENANTCTL_SECRET_KEY=secret_key)

    def public_key(self) -> bytes:
        client = self.stack.client("kms")
        key: bytes = client.get_public_key(KeyId=self.stack.physical_id("SigningKey"))["PublicKey"]
        return key


@cache
def token_of(api: Api, organization: Organization) -> str:
    """Log in as the administrator."""
    log_in = {
        "organization": organization.subdomain,
        "email": organization.admin_email,
        "password": organization.admin_password,
    }
    return str(api.post("/auth/token", None, log_in).document["access_token"])


def key_of(api: Api, organization: Organization, scopes: list[str]) -> Any:  # noqa: ANN401 - JSON
    """Create a secret key as the administrator does."""
    body = {"type": "secret", "name": "Command line", "scopes": scopes}
    answer = api.post("/keys", token_of(api, organization), body)
    assert answer.status == 201, answer.document
    return answer.document


@pytest.fixture(scope="module", autouse=True)
def deletion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Organization, subprocess.Popen[str]]]:
    """Yield an organization and the tenantctl that deletes it.

    It waits for the erasure while the first tests run.
    """
    folder = tmp_path_factory.mktemp("deletion")
    (folder / ".local").symlink_to(STACK_FOLDER)
    tenantctl, subdomain = Tenantctl(folder), f"globex-{secrets.token_hex(4)}"
    with sharing_stack():
        created = tenantctl.run(
            *("orgs", "create", "--name", "Globex", "--subdomain", subdomain, "--admin-email", "admin@globex.example"),
            "--json",
            TENANTCTL_ADMIN_PASSWORD=PASSWORD,
        )
        assert created.code == 0, created.err
    globex = Organization.of(created.document, admin_password=PASSWORD)
    with tenantctl.start("orgs", "delete", globex.id, "--reason", "The contract has ended.", "--yes", "--wait") as ran:
        yield globex, ran
        ran.kill()


@pytest.fixture(scope="module")
def erased(deletion: tuple[Organization, subprocess.Popen[str]]) -> Organization:
    """Return an organization that tenantctl has deleted and seen erased."""
    globex, ran = deletion
    _, err = ran.communicate(timeout=ERASURE_WAIT_SECONDS)
    assert ran.returncode == 0, err
    return globex


@pytest.fixture(scope="module")
def shared_acme(provision: Provision) -> Organization:
    with sharing_stack():
        return provision("acme", "growth")


@pytest.fixture(scope="module")
def secret_key(api: Api, shared_acme: Organization) -> str:
    with sharing_stack():
        return str(key_of(api, shared_acme, SCOPES)["key"])


@pytest.fixture
def world(stack: Stack, api: Api, tmp_path: Path, provision: Provision) -> World:
    return World(stack, api, tmp_path, provision)


def with_platform_key(world: World, _acme: Organization) -> dict[str, str]:
    created = world.api.post("/platform-keys", world.stack.platform_key, {"name": "Of a test"})
    return {KEY_ID: created.document["id"]}


def with_key(world: World, acme: Organization) -> dict[str, str]:
    return {KEY_ID: key_of(world.api, acme, ["usage:read"])["id"]}


def with_deletion(world: World, acme: Organization) -> dict[str, str]:
    body = json.dumps({"reason": "A test."}).encode()
    world.api.call("DELETE", f"/organizations/{acme.id}", world.stack.platform_key, body=body)
    return {}


# What must be there before an example.
PREPARED: Mapping[str, Prepare] = {
    "keys revoke": with_key,
    "keys rotate": with_key,
    "orgs restore": with_deletion,
    "platform-keys revoke": with_platform_key,
    "platform-keys rotate": with_platform_key,
}


def examples() -> Iterator[tuple[str, str]]:
    """Yield each example of each command, and the first one again with --json if none has it."""
    for name, command in COMMANDS.items():
        shown = examples_of(command.epilog)
        yield from ((name, example) for example in shown)
        if not any("--json" in example for example in shown):
            line, redirection, file = shown[0].partition(" < ")
            yield name, f"{line} --json{redirection}{file}"


def schema_of(output: Output) -> Mapping[str, Any]:
    """Return the schema of an output, from the OpenAPI document or its own."""
    if output.schema:
        return output.schema
    responses = OPENAPI["paths"][output.path][output.method.lower()]["responses"]
    [status] = [each for each in responses if each.startswith("2")]
    schema = responses[status]["content"]["application/json"]["schema"]
    if output.rows:
        named = OPENAPI["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        schema = named["properties"][output.rows]["items"]
    return {**schema, "components": OPENAPI["components"]}


@pytest.mark.parametrize(("name", "example"), list(examples()), ids=lambda text: text)
def test_example_works_and_json_has_its_schema(
    request: pytest.FixtureRequest, world: World, secret_key: str, name: str, example: str
) -> None:
    acme = request.getfixturevalue("acme" if name in CHANGING else "shared_acme")
    replaced = {"acme": acme.subdomain, **(PREPARED[name](world, acme) if name in PREPARED else {})}
    if "certificate" in name:
        replaced[ERASED_ID] = request.getfixturevalue("erased").id
        show = f"tenantctl certificate show {replaced[ERASED_ID]} --json > certificate.json"
        assert world.run(show, {}, "").code == 0
        pem = base64.encodebytes(world.public_key()).decode()
        (world.key_folder / "key.pem").write_text(f"-----BEGIN PUBLIC KEY-----\n{pem}-----END PUBLIC KEY-----\n")

    done = world.run(example, replaced, secret_key)

    assert done.code == 0, f"{example}\n{done.out}\n{done.err}"
    if "--json" not in shlex.split(example):
        return
    _, _, file = example.partition(" > ")
    out = (world.key_folder / file).read_text() if file else done.out
    documents = [json.loads(line) for line in out.splitlines()] if OUTPUTS[name].is_lines else [json.loads(out)]
    validator = jsonschema_rs.validator_for(dict(schema_of(OUTPUTS[name])))
    assert [error.message for document in documents for error in validator.iter_errors(document)] == []


def test_tails_show_what_was_sent(world: World, acme: Organization) -> None:
    sent = {"event_type": "open", "event_name": "Hello", "device_id": "me", "platform": "web", "event_id": "e-1"}
    event = {**sent, "event_timestamp": "2026-11-28T12:00:00Z"}
    world.api.post("/events", acme.write_key, {"events": [event]})
    world.stack.wait_for_stored(acme.id, 1)

    tail = world.run("tenantctl events tail --json", {}, acme.secret_key)
    trace = world.run("tenantctl events trace e-1 --event-timestamp 2026-11-28T12:00:00Z --json", {}, acme.secret_key)
    audit = world.run("tenantctl audit tail acme --json", {"acme": acme.subdomain}, "")

    assert tail.document.items() >= {"event_id": "e-1", "event_name": "Hello"}.items()
    assert [each["state"] for each in trace.document["events"]] == ["stored"]
    assert json.loads(audit.out.splitlines()[0])["action"] == "organization.provisioned"


def test_commands_of_the_demo_work_as_printed(world: World) -> None:
    stack = client.Stack.load(STACK_FOLDER)
    acme = client.provision(stack, "acme", "starter", secrets.token_hex(4))
    commands = [*list_calls(stack, acme), *list_operator_commands(acme)]

    outputs = {each: world.tenantctl.run_in_shell(each.removeprefix(".venv/bin/")) for each in commands}

    assert {command for command, done in outputs.items() if done.code or '"code"' in done.out or not done.out} == set()


def test_demo_prints_how_to_sign_in_to_the_console() -> None:
    stack = client.Stack.load(STACK_FOLDER)
    acme = client.provision(stack, "acme", "starter", secrets.token_hex(4))

    line = describe_sign_in(stack, acme)

    found = re.fullmatch(r"(\S+/v1/console/)\?organization=(\S+) with (\S+) and the password (\S+)", line)
    assert found is not None
    organization, email, password = found.groups()[1:]
    log_in = {"organization": organization, "email": email, "password": password}
    assert "access_token" in client.call(f"{stack.api_url}/auth/token", None, body=log_in)
    with urllib.request.urlopen(line.split()[0]) as page:
        assert "<title>Console</title>" in page.read().decode()


def test_refusals_of_the_real_api_have_their_exit_codes(world: World, shared_acme: Organization) -> None:
    calls = {
        ("tenantctl orgs show 0c000000-0000-4000-8000-0000000000c2", ""): 4,
        (f"tenantctl orgs override {shared_acme.id} users=-1", ""): 6,
        (f"tenantctl orgs restore {shared_acme.id}", ""): 5,
        ("tenantctl keys create --type secret --name Billing", shared_acme.secret_key): 3,
        ("tenantctl keys list", "sk_unknown"): 3,
    }

    codes = {(command, key): world.run(command, {}, key).code for command, key in calls}

    assert codes == calls
