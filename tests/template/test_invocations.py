"""Time-outs, retries and retention in the template that CloudFormation gets."""

from typing import Any

import pytest

from scripts.deploy.versions import ALIAS
from tests.template.app_source import app
from tests.template.template import FOLDERS, RESOURCES, events, properties_of
from tests.template.transformed import transformed, transformed_of

LOGICAL_IDS = {
    properties["CodeUri"].removeprefix("functions/"): name
    for name, properties in properties_of("AWS::Serverless::Function").items()
}
CUSTOM = {name: resource for name, resource in RESOURCES.items() if resource["Type"].startswith("Custom::")}
SCHEDULED = [function for function in FOLDERS if events(function, "ScheduleV2")]
BEHIND_CUSTOM_RESOURCES = list(
    dict.fromkeys(resource["Properties"]["ServiceToken"]["Ref"].removesuffix(".Alias") for resource in CUSTOM.values())
)
# Types with data, or with keys to data, that outlive the stack.
KEPT = {"AWS::SQS::Queue", "AWS::KMS::Key", "AWS::S3::Bucket"}


def asynchronous(function: str) -> dict[str, Any]:
    """Return how Lambda invokes *function* asynchronously."""
    properties: dict[str, Any]
    [properties] = [
        config["Properties"]
        for config in transformed_of("AWS::Lambda::EventInvokeConfig").values()
        if config["Properties"]["FunctionName"] == {"Ref": function} and config["Properties"]["Qualifier"] == ALIAS
    ]
    return properties


def test_deploys_run_the_functions_that_prepare_stores_and_keys() -> None:
    assert BEHIND_CUSTOM_RESOURCES == ["Migrate", "Bootstrap", "TokenKeys"]


@pytest.mark.parametrize("function", [*BEHIND_CUSTOM_RESOURCES, *(LOGICAL_IDS[each] for each in SCHEDULED)])
def test_lambda_retries_no_asynchronous_run(function: str) -> None:
    """A migration would run again during a roll-back.

    The next scheduled run does the work of a failed one.
    """
    assert asynchronous(function)["MaximumRetryAttempts"] == 0


@pytest.mark.parametrize("name", CUSTOM)
def test_cloudformation_waits_longer_than_the_function_runs(name: str) -> None:
    """Lambda may keep a request that it cannot run at once, for the maximum age of its event."""
    resource = transformed()[name]["Properties"]
    function = resource["ServiceToken"]["Ref"].removesuffix(f"Alias{ALIAS}")
    longest = asynchronous(function)["MaximumEventAgeInSeconds"] + transformed()[function]["Properties"]["Timeout"]

    assert resource["ServiceTimeout"] > longest


@pytest.mark.parametrize("name", CUSTOM)
def test_custom_resource_waits_for_its_functions_retries(name: str) -> None:
    """Else CloudFormation may invoke the function before it forbids the retries."""
    function = RESOURCES[name]["Properties"]["ServiceToken"]["Ref"].removesuffix(".Alias")

    assert RESOURCES[name]["DependsOn"] == f"{function}EventInvokeConfig"
    assert f"{function}EventInvokeConfig" in transformed()


def test_ingest_is_deployed_after_the_writers_of_its_rows() -> None:
    """Otherwise `load` of the release before gets rows with columns that it does not know."""
    writers = {LOGICAL_IDS[function] for function in FOLDERS if "clickhouse_writer" in app(function).read_text()}

    aliases = {f"{writer}Alias{ALIAS}" for writer in writers - {"Migrate"}}
    assert {*RESOURCES["Ingest"]["DependsOn"]} == aliases | {"SchemaMigration"}
    assert aliases < set(transformed())


def test_resources_with_data_outlive_the_stack_but_no_failed_creation() -> None:
    kept = {name: resource for name, resource in transformed().items() if resource["Type"] in KEPT}

    assert {resource["DeletionPolicy"] for resource in kept.values()} == {"RetainExceptOnCreate"}
    assert {resource["UpdateReplacePolicy"] for resource in kept.values()} == {"Retain"}


def test_each_function_logs_to_a_group_of_the_stack() -> None:
    """A group that Lambda makes by itself keeps its logs for ever."""
    for function in transformed_of("AWS::Lambda::Function").values():
        assert function["Properties"]["LoggingConfig"]["LogGroup"] == {"Ref": "Logs"}


def test_each_log_group_forgets() -> None:
    groups = transformed_of("AWS::Logs::LogGroup")

    assert {group["Properties"]["RetentionInDays"] for group in groups.values()} == {30}


def test_state_machines_log_nowhere_else() -> None:
    for machine in transformed_of("AWS::StepFunctions::StateMachine").values():
        assert "LoggingConfiguration" not in machine["Properties"]
