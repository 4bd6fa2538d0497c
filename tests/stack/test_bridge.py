"""The bridge to MiniStack: API Gateway, its authorizer and usage plans, and Lambda."""

import base64
import gzip
import json
import os
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from scripts.stack import aws, processes
from scripts.stack.loopback import request
from scripts.stack.ports import choose_ports
from scripts.stack.settings import LOOPBACK, StackSettings
from tests.stack.small_api import ECHO, TEMPLATE, Gateway, with_code_of_echo
from tests.stack.waiting import LIMIT_SECONDS, wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def gateway(settings: StackSettings) -> Iterator[Gateway]:
    ports = choose_ports(settings, in_use=())
    processes.start(settings.directory, aws.prepare(settings, ports))
    formation = aws.client("cloudformation", aws.endpoint(LOOPBACK, ports))
    capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    formation.create_stack(StackName=aws.STACK, TemplateBody=json.dumps(TEMPLATE), Capabilities=capabilities)
    formation.get_waiter("stack_create_complete").wait(
        StackName=aws.STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 600}
    )
    [output] = formation.describe_stacks(StackName=aws.STACK)["Stacks"][0]["Outputs"]
    formation.close()
    it = Gateway(settings=settings, ports=ports, plan_id=output["OutputValue"])
    yield it
    processes.stop(settings.directory, aws.NAME)


def test_usage_plan_throttles_one_organization_alone(gateway: Gateway) -> None:
    gateway.add_key("acme")
    gateway.add_key("globex")

    acme = gateway.statuses("acme", times=5)
    globex = gateway.statuses("globex", times=1)

    assert acme == [200, 200, 200, 429, 429]
    assert globex == [200]


def test_organization_without_a_plan_is_refused(gateway: Gateway) -> None:
    statuses = gateway.statuses("unknown", times=1)

    assert statuses == [403]


def test_key_in_the_request_does_not_replace_the_authorizers(gateway: Gateway) -> None:
    gateway.add_key("initech")
    key = "gateway-key-of-initech-" + "0" * 20

    answer = gateway.call("GET", "/metered", authorization="Bearer unknown", x_api_key=key)

    assert answer.status == 403


def test_authorizers_context_reaches_the_handler_without_the_key(gateway: Gateway) -> None:
    gateway.add_key("hooli")

    context = gateway.call("GET", "/metered", authorization="Bearer hooli").body["event"]["requestContext"]

    assert set(context["authorizer"]) == {"organization", "principalId", "request_id"}
    assert context["authorizer"]["request_id"] == context["requestId"]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/nowhere", {}, 404),
        ("/metered", {}, 401),
        ("/metered", {"authorization": "Bearer nobody"}, 401),
        ("/%6fpen", {}, 404),
    ],
)
def test_refusal_of_the_gateway_has_the_templates_shape(
    gateway: Gateway, path: str, headers: dict[str, str], status: int
) -> None:
    answer = gateway.call("GET", path, None, **headers)

    assert answer.status == status
    assert answer.body == {
        "status": status,
        "path": f"/v1{path}",
        "request_id": answer.headers["x-amzn-requestid"],
    }


@pytest.mark.parametrize("headers", [{}, {"content_type": "text/plain"}])
def test_gzip_body_arrives_as_it_was_sent(gateway: Gateway, headers: dict[str, str]) -> None:
    body = gzip.compress(b"{}")

    seen = gateway.call("POST", "/open", body, **headers).body["event"]

    assert seen["isBase64Encoded"]
    assert gzip.decompress(base64.b64decode(seen["body"])) == b"{}"


def test_host_is_kept_and_a_forged_address_is_not(gateway: Gateway) -> None:
    answer = gateway.call("DELETE", "/open", host="acme.attribution.localhost", x_forwarded_for="8.8.8.8")

    seen = answer.body["event"]
    assert seen["headers"]["host"] == "acme.attribution.localhost"
    assert seen["requestContext"]["domainName"] == "acme.attribution.localhost"
    assert seen["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"
    assert (seen["path"], seen["requestContext"]["path"]) == ("/open", "/v1/open")


@pytest.mark.parametrize(
    "sent", ["%7Bid%7D", "..%2f", "a%252Fb", "caf%C3%A9", "%ff", "a%3Fb%23c", "%00%0d%0a", "%", "%zz"]
)
def test_encoded_path_arrives_as_it_was_sent(gateway: Gateway, sent: str) -> None:
    answer = gateway.call("GET", f"/items/{sent}")

    seen = answer.body["event"]
    assert (seen["path"], seen["pathParameters"]) == (f"/items/{sent}", {"id": sent})
    assert seen["requestContext"]["path"] == f"/v1/items/{sent}"
    assert seen["resource"] == "/items/{id}"


def test_function_sees_its_layers_and_no_package_of_the_project(gateway: Gateway) -> None:
    answer = gateway.call("GET", "/open").body

    assert (answer["packages"], answer["botocore"]) == (False, False)


def test_exception_does_not_end_the_worker(gateway: Gateway) -> None:
    before = gateway.call("GET", "/open").body["pid"]

    status = gateway.call("GET", "/fault").status

    assert status == 502
    assert gateway.call("GET", "/open").body["pid"] == before
    assert "ValueError: a fault" in gateway.log()


def test_exception_has_its_own_name_for_state_machines(gateway: Gateway) -> None:
    functions = aws.client("lambda", aws.endpoint(LOOPBACK, gateway.ports))
    names = [each["FunctionName"] for each in functions.list_functions()["Functions"]]
    [name] = [each for each in names if "Echo" in each]

    failed = functions.invoke(FunctionName=name, Payload=json.dumps({"path": "/fault"}).encode())

    document = json.load(failed["Payload"])
    assert (document["errorType"], document["errorMessage"]) == ("ValueError", "a fault")


def test_output_of_a_function_is_logged_under_its_name(gateway: Gateway) -> None:
    gateway.call("PUT", "/open")

    line = re.compile(r"^tenancy-local-Echo-\w+ seen /open$", re.MULTILINE)

    wait_until(lambda: line.search(gateway.log()) is not None)


def test_update_of_a_stack_disturbs_no_request(gateway: Gateway) -> None:
    gateway.add_key("stark")
    before = gateway.statuses("stark", times=1)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(gateway.call, "GET", "/items/slow")
        wait_until(lambda: "sleeps" in gateway.log())
        formation = aws.client("cloudformation", aws.endpoint(LOOPBACK, gateway.ports))
        capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        template = json.dumps(with_code_of_echo(ECHO.replace('"pid"', '"code": "new", "pid"')))
        formation.update_stack(StackName=aws.STACK, TemplateBody=template, Capabilities=capabilities)
        formation.get_waiter("stack_update_complete").wait(StackName=aws.STACK, WaiterConfig={"Delay": 1})
        during = running.result()

    assert (during.status, during.body.get("code")) == (200, None)
    assert gateway.call("GET", "/new").body["code"] == "new"
    assert (before, gateway.statuses("stark", times=1)) == ([200], [200])


def test_moved_stack_leaves_nothing_at_its_old_place(tmp_path: Path) -> None:
    root = tmp_path / "here"
    root.mkdir()
    (root / "scripts").symlink_to(ROOT / "scripts")
    settings = StackSettings(root=root, directory=root / ".local")
    settings.directory.mkdir()
    processes.start(settings.directory, aws.prepare(settings, choose_ports(settings, in_use=())))
    moved = root.rename(tmp_path / "there")

    processes.stop(moved / ".local", aws.NAME)

    assert list((moved / ".local" / "aws" / "state").glob("*.json"))
    assert not root.exists()


def test_gateway_keys_survive_kill_9(gateway: Gateway) -> None:
    directory = gateway.settings.directory
    request(f"{aws.endpoint(LOOPBACK, gateway.ports)}/_stack/save", method="POST", seconds=LIMIT_SECONDS)
    saved = directory / "aws" / "state" / "apigateway_v1.json"
    gateway.add_key("umbrella")
    wait_until(lambda: "umbrella" in saved.read_text(encoding="utf-8"))
    process = processes.find_running(directory, aws.NAME)
    assert process

    os.kill(process.pid, signal.SIGKILL)
    processes.start(directory, aws.prepare(gateway.settings, gateway.ports))

    assert gateway.statuses("umbrella", times=1) == [200]
