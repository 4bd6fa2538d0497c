"""Aliases move back to an earlier release, which is the same for all functions. moto answers."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from scripts.deploy import roll_back
from tests.given import REGION, AwsAccount
from tests.stack.test_versions import TEMPLATE, archive

STACK = "acme-production"
FIRST, GOOD, FAULTY = (f"2026-11-2{day}T12:00:00Z" for day in (5, 6, 7))
NAMES = ("Load", "Ingest", "Migrate", "Usage")
WITHOUT_QUEUE = ("--drain-seconds", "0")


@pytest.fixture
def deployed(aws: AwsAccount) -> Iterator[dict[str, str]]:  # noqa: ARG001 - its account
    """Yield the name of each function of a stack by its logical id. Three releases have published a version of each."""
    resources: dict[str, Any] = dict(TEMPLATE["Resources"])
    function = resources.pop("Usage")
    template = {"Resources": resources | dict.fromkeys(NAMES, function) | {"EventsQueue": {"Type": "AWS::SQS::Queue"}}}
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(template))
    found = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in cloudformation.list_stack_resources(StackName=STACK)["StackResourceSummaries"]
    }
    for name in NAMES:
        for release in (FIRST, GOOD, FAULTY):
            publish(found[name], release)
        boto3.client("lambda").create_alias(FunctionName=found[name], Name="live", FunctionVersion="3")
    yield found
    cloudformation.delete_stack(StackName=STACK)


def publish(name: str, release: str) -> None:
    functions = boto3.client("lambda")
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": {"RELEASE": release}})
    functions.update_function_code(FunctionName=name, ZipFile=archive(release), Publish=True)


def run(*arguments: str) -> int:
    return roll_back.main([STACK, "--region", REGION, *arguments])


def live(deployed: dict[str, str], *names: str) -> list[str]:
    functions = boto3.client("lambda")
    return [functions.get_alias(FunctionName=deployed[name], Name="live")["FunctionVersion"] for name in names]


def moved(output: str, deployed: dict[str, str]) -> list[str]:
    """Return the logical ids of the functions in the order of *output*."""
    names = {name: logical_id for logical_id, name in deployed.items()}
    return [names[line.split(":")[0]] for line in output.splitlines() if line.split(":")[0] in names]


def test_all_functions_move_to_the_newest_release_before(deployed: dict[str, str]) -> None:
    status = run("--before", FAULTY)

    assert status == 0
    assert live(deployed, "Ingest", "Load", "Usage") == ["2", "2", "2"]


def test_ingest_moves_first_and_load_last(deployed: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    run("--before", FAULTY)

    assert moved(capsys.readouterr().out, deployed) == ["Ingest", "Usage", "Load"]


def test_shift_that_was_stopped_half_way_ends(deployed: dict[str, str]) -> None:
    functions, name = boto3.client("lambda"), deployed["Usage"]
    weights: Any = {"AdditionalVersionWeights": {"3": 0.1}}
    functions.update_alias(FunctionName=name, Name="live", FunctionVersion="2", RoutingConfig=weights)

    run("--before", FAULTY)

    alias = functions.get_alias(FunctionName=name, Name="live")
    assert (alias["FunctionVersion"], alias.get("RoutingConfig", {}).get("AdditionalVersionWeights")) == ("2", {})


def test_functions_of_the_deploy_alone_stay(deployed: dict[str, str]) -> None:
    run("--before", FAULTY)

    assert live(deployed, "Migrate") == ["3"]


def test_full_queue_is_named(deployed: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    boto3.client("sqs").send_message(QueueUrl=deployed["EventsQueue"], MessageBody="{}")

    status = run("--before", FAULTY, *WITHOUT_QUEUE)

    assert "EventsQueue still has 1 messages." in capsys.readouterr().err
    assert (status, live(deployed, "Load")) == (0, ["2"])


def test_failure_of_one_function_stops_no_other(deployed: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    boto3.client("lambda").delete_alias(FunctionName=deployed["Usage"], Name="live")

    status = run("--before", FAULTY)

    assert (status, live(deployed, "Ingest", "Load")) == (1, ["2", "2"])
    assert f"{deployed['Usage']}: its alias was not changed" in capsys.readouterr().err


def test_load_stays_with_an_ingest_that_cannot_move(deployed: dict[str, str]) -> None:
    boto3.client("lambda").delete_alias(FunctionName=deployed["Ingest"], Name="live")

    status = run("--before", FAULTY)

    assert (status, live(deployed, "Usage", "Load")) == (1, ["2", "3"])


def test_release_that_failed_half_way_is_left_out(deployed: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    publish(deployed["Load"], "2026-11-28T12:00:00Z")  # and then failed
    for name in ("Ingest", "Load", "Usage"):
        publish(deployed[name], "2026-11-29T12:00:00Z")

    status = run("--before", "2026-11-29T12:00:00Z")

    assert (status, live(deployed, "Ingest", "Load", "Usage")) == (0, ["3", "3", "3"])
    assert "release 2026-11-28T12:00:00Z: 1 of 3 functions, live in 0\n" in capsys.readouterr().out


def test_exact_release_can_be_chosen(deployed: dict[str, str]) -> None:
    status = run("--release", FIRST)

    assert (status, live(deployed, "Ingest", "Load", "Usage")) == (0, ["1", "1", "1"])


def test_release_that_not_all_functions_have_is_refused(
    deployed: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    boto3.client("lambda").delete_function(FunctionName=deployed["Load"], Qualifier="1")

    status = run("--release", FIRST)

    assert (status, live(deployed, "Ingest", "Load", "Usage")) == (1, ["3", "3", "3"])
    assert "Not all functions have a version of that release. No alias was changed." in capsys.readouterr().err


def test_function_that_is_newer_than_the_release_stays(
    deployed: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run("--before", FAULTY)
    functions = boto3.client("lambda")
    functions.delete_function(FunctionName=deployed["Usage"])
    added = functions.create_function(
        FunctionName=deployed["Usage"],
        Runtime="python3.13",
        Handler="index.handler",
        Role=functions.get_function(FunctionName=deployed["Load"])["Configuration"]["Role"],
        Code={"ZipFile": archive("added")},
        Environment={"Variables": {"RELEASE": FAULTY}},
        Publish=True,
    )
    functions.create_alias(FunctionName=added["FunctionName"], Name="live", FunctionVersion="1")

    status = run("--before", FAULTY)

    assert (status, live(deployed, "Ingest", "Usage")) == (0, ["2", "1"])
    assert f"{deployed['Usage']}: newer than the release." in capsys.readouterr().out


def test_time_before_all_releases_moves_nothing(deployed: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    status = run("--before", FIRST)

    assert (status, live(deployed, "Ingest", "Load")) == (1, ["3", "3"])
    assert "No alias was changed." in capsys.readouterr().err


@pytest.mark.parametrize(
    "text", ["now", "29.11.2026", "2026-11-27 13:00", "2026-11-27T13:00:00", "2026-13-27T12:00:00Z"]
)
def test_time_of_another_form_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("--before", text)

    assert "expected a time with its offset, such as 2026-11-29T12:00:00Z" in capsys.readouterr().err


def test_offset_of_the_time_counts(deployed: dict[str, str]) -> None:
    run("--before", "2026-11-27T13:00:00+02:00")  # 11:00 in UTC, an hour before the faulty release

    assert live(deployed, "Ingest", "Load") == ["2", "2"]


def test_gradual_deploys_of_the_remedy_are_warned_of(
    deployed: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert deployed

    run("--before", FAULTY)

    assert "GradualDeployment=false" in capsys.readouterr().out.splitlines()[-1]
