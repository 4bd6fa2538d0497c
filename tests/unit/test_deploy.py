"""`make deploy` checks the rules that CloudFormation checks, and has the price of each resource."""

import re
import shutil
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from ministack.services.cloudformation.engine import _check_rules_section, _evaluate_rules

from scripts.deploy.__main__ import add_stage, find_problems, main, parameters_of
from scripts.deploy.account import find_account_problems
from scripts.deploy.conditions import Decisions
from scripts.deploy.costs import Prices, Resource, cost_month, list_resources
from scripts.deploy.questions import questions
from tests.given import REGION, ROOT
from tests.members import for_each
from tests.template.stacks import all_resources
from tests.template.template import TEMPLATE
from tests.template.test_stacks import CHOICES
from tests.template.transformed import defaults, transformed_template

PRODUCTION: Mapping[str, str] = {
    "Stage": "production",
    "BaseDomain": "attribution.example",
    "MailFrom": "no-reply@attribution.example",
    "AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:alarms",
    "CreateDataStores": "true",
    "HighAvailability": "true",
    "IngestConcurrency": "400",
}
GIVEN_STORES = {"CreateDataStores": "false", "VpcSubnetIds": "subnet-1,subnet-2", "VpcSecurityGroupIds": "sg-1"}
REFUSED = [
    ({"AlarmTopicArn": ""}, "AlarmTopicArn"),
    ({"BaseDomain": "attribution.localhost"}, "BaseDomain"),
    ({"MailFrom": "no-reply@attribution.localhost"}, "MailFrom"),
    ({"CreateDataStores": "false"}, "VpcSubnetIds"),
    ({"HighAvailability": "false"}, "HighAvailability"),
    ({"IngestConcurrency": "0"}, "IngestConcurrency"),
    ({"VpcSubnetIds": "subnet-1", "VpcSecurityGroupIds": "sg-1"}, "CreateDataStores"),
    ({"CreateDataStores": "false", "VpcSubnetIds": "subnet-1"}, "VpcSecurityGroupIds"),
]
LARGE: Mapping[str, str] = {
    "CreateDataStores": "true",
    "HighAvailability": "true",
    "DatabaseMinimumCapacity": "4",
    "ClickHouseEndpointService": "com.amazonaws.vpce.eu-central-1.vpce-svc-0123",
}
SECTIONS = ("standing", "by_use", "free")


def emulated_problems(parameters: Mapping[str, str]) -> list[str]:
    """Return the first message of the emulator's own rules, written after AWS's documentation."""
    values = {name: {"Value": str(value)} for name, value in {**defaults(), **parameters}.items()}
    _check_rules_section(TEMPLATE)
    try:
        _evaluate_rules(TEMPLATE, values, {})
    except ValueError as error:
        return [str(error)]
    return []


@pytest.mark.parametrize("changes", [{}, GIVEN_STORES])
def test_complete_production_is_accepted(changes: Mapping[str, str]) -> None:
    parameters = {**PRODUCTION, **changes}

    assert find_problems(TEMPLATE, parameters) == emulated_problems(parameters) == []


@pytest.mark.parametrize("stage", ["local", "staging"])
def test_other_stages_need_nothing(stage: str) -> None:
    assert find_problems(TEMPLATE, {"Stage": stage}) == emulated_problems({"Stage": stage}) == []


@pytest.mark.parametrize(("changes", "named"), REFUSED, ids=str)
def test_incomplete_production_has_one_clear_error(changes: Mapping[str, str], named: str) -> None:
    parameters = {**PRODUCTION, **changes}

    [problem] = find_problems(TEMPLATE, parameters)

    assert named in problem
    [emulated] = emulated_problems(parameters)
    assert emulated.endswith(problem)


def test_misspelled_parameter_is_named() -> None:
    assert find_problems(TEMPLATE, {"AlarmTopic": ""}) == ["template.yaml has no parameter AlarmTopic."]


def test_each_stage_of_the_file_deploys_once_production_has_its_topic(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["staging", "--print"]) == 0
    assert main(["production", "--print"]) == 1

    assert capsys.readouterr().err.count("  - ") == 1


def test_unknown_stage_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nowhere"]) == 1

    assert "It has: staging, production." in capsys.readouterr().err


def test_stage_is_split_into_parameters() -> None:
    stage = {"deploy": {"parameters": {"parameter_overrides": "Stage=staging UpgradeUrl=https://a.example/?b=c"}}}

    assert parameters_of(stage) == {"Stage": "staging", "UpgradeUrl": "https://a.example/?b=c"}


# ----------------------------------------------------------------------------------------------------------- questions

DEFAULTS = [""] * 20


@pytest.fixture
def samconfig(tmp_path: Path) -> Path:
    return Path(shutil.copy(ROOT / "samconfig.toml", tmp_path))


def added(samconfig: Path, stage: str, answers: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Answer the questions for *stage*. Return its parameters, and the printed lines."""
    remaining, said = iter(answers), list[str]()

    assert add_stage(samconfig, TEMPLATE, stage, read=lambda _: next(remaining), say=said.append) is None

    return parameters_of(tomllib.loads(samconfig.read_text())[stage]), said


def test_ten_questions_at_most_come_first() -> None:
    asked = list(questions(TEMPLATE))

    assert asked == list(TEMPLATE["Parameters"])[: len(asked)]
    assert len(asked) <= 10


def test_enter_takes_defaults_that_are_not_written_down(samconfig: Path) -> None:
    parameters, _ = added(samconfig, "acme", DEFAULTS)

    assert parameters == {"SecretsPrefix": "tenancy/acme", "CreateDataStores": "true"}
    assert find_problems(TEMPLATE, parameters) == []


def test_invalid_answer_is_asked_again(samconfig: Path) -> None:
    answers = ["", "", "", "", "No Domain", "Acme.example", "acme.example", *DEFAULTS]

    parameters, said = added(samconfig, "acme", answers)

    assert parameters["BaseDomain"] == "acme.example"
    assert "Expected no spaces, quotes or backslashes." in said
    assert TEMPLATE["Parameters"]["BaseDomain"]["ConstraintDescription"] in said


def test_stage_of_the_file_is_not_asked_again(samconfig: Path) -> None:
    before = samconfig.read_text()

    problem = add_stage(samconfig, TEMPLATE, "production", read=lambda _: "")

    assert problem == "samconfig.toml already has the stage production. Edit it there."
    assert samconfig.read_text() == before


def test_unanswered_questions_change_nothing(samconfig: Path) -> None:
    def end(_: str) -> str:
        raise EOFError

    before = samconfig.read_text()

    problem = add_stage(samconfig, TEMPLATE, "acme", read=end)

    assert problem == "The questions were not answered. samconfig.toml is unchanged."
    assert samconfig.read_text() == before


@pytest.mark.parametrize("stage", ["", "Acme", "a b", "a]", "1"])
def test_name_of_a_stage_is_checked(samconfig: Path, stage: str) -> None:
    assert "is not a valid name of a stage" in str(add_stage(samconfig, TEMPLATE, stage, read=lambda _: ""))


# ------------------------------------------------------------------------------------------------------------- account


@contextmanager
def account_with(concurrent_executions: int) -> Iterator[Any]:
    """Yield a client of Lambda in an account with this limit."""
    client = boto3.client("lambda", region_name=REGION)
    with Stubber(client) as stubber:
        limit = {"AccountLimit": {"ConcurrentExecutions": concurrent_executions}}
        stubber.add_response("get_account_settings", limit, {})
        yield client


@pytest.mark.parametrize(("limit", "reserved"), [(10, "10"), (499, "400"), (10, "400")])
def test_account_with_too_few_executions_is_refused(limit: int, reserved: str) -> None:
    with account_with(limit) as client:
        [problem] = find_account_problems(client, {"IngestConcurrency": reserved})

    assert f"has {limit} concurrent executions" in problem
    assert f"needs {int(reserved) + 100}." in problem


@pytest.mark.parametrize(("limit", "parameters"), [(500, {"IngestConcurrency": "400"}), (10, {})])
def test_account_with_enough_executions_is_accepted(limit: int, parameters: Mapping[str, str]) -> None:
    with account_with(limit) as client:
        assert list(find_account_problems(client, parameters)) == []


def test_unknown_limit_stops_no_deploy() -> None:
    client = boto3.client("lambda", region_name=REGION)
    with Stubber(client) as stubber:
        stubber.add_client_error("get_account_settings", "AccessDeniedException")

        assert list(find_account_problems(client, {"IngestConcurrency": "400"})) == []


# -------------------------------------------------------------------------------------------------------------- prices


PRICES = Prices()


def resource_types() -> list[str]:
    return sorted({resource["Type"] for _, _, resource in all_resources()})


@for_each("kind", resource_types)
def test_each_type_has_a_price_or_a_reason_for_none(kind: str) -> None:
    sections = [name for name in SECTIONS if kind in getattr(PRICES, name)]

    assert len(sections) == 1


@for_each("kind", sorted(PRICES.standing))
def test_price_has_its_source(kind: str) -> None:
    price = PRICES.standing[kind]

    assert price["dollars"] > 0
    assert price["unit"] in {"hour", "month"}
    assert price["source"]


def made_by(parameters: Mapping[str, str]) -> list[Resource]:
    return list(list_resources(ROOT, transformed_template(), parameters))


def test_stack_with_given_data_stores_has_a_known_price() -> None:
    costs = {cost.name: (cost.number, round(cost.dollars, 2)) for cost in cost_month(made_by({}), PRICES)}

    alarms = [each for each in made_by({}) if each.kind == "AWS::CloudWatch::Alarm"]
    metrics = sum(len(each.properties.get("Metrics", [0])) for each in alarms)
    assert costs == {
        "metric of an alarm": (metrics, round(metrics * 0.10, 2)),
        "KMS key": (3, 3.00),
        "secret": (3, 1.20),
        "dashboard": (1, 3.00),
    }


def test_own_data_stores_are_priced_by_their_parameters() -> None:
    costs = {cost.name.partition(",")[0]: cost.dollars for cost in cost_month(made_by(LARGE), PRICES)}

    assert costs["Aurora instance"] == pytest.approx(2 * 4 * 0.14 * 730)
    assert costs["RDS Proxy"] == pytest.approx(8 * 0.015 * 730)
    assert costs["NAT gateway"] == pytest.approx(2 * 0.052 * 730)
    assert costs["public IPv4 address"] == pytest.approx(2 * 0.005 * 730)
    assert costs["endpoint of PrivateLink"] == pytest.approx(2 * 0.012 * 730)
    assert costs["KMS key"] == pytest.approx(4.00)


def test_costs_of_the_guide_are_those_of_the_template() -> None:
    """The table of docs/deploy.md has one row for each choice of parameters."""
    text = (ROOT / "docs/deploy.md").read_text()

    documented = {row[0]: row[1] for row in re.findall(r"(?m)^\| ([^|]+?) \| `[^|]*` \| \$(\d+) \|", text)}

    assert documented == {
        "given data stores": total({}),
        "own data stores": total({"CreateDataStores": "true"}),
        "own data stores for production": total(
            {"CreateDataStores": "true", "HighAvailability": "true", "DatabaseMinimumCapacity": "1"}
        ),
    }
    assert f"prices of {PRICES.date}" in text


def total(parameters: Mapping[str, str]) -> str:
    return f"{sum(cost.dollars for cost in cost_month(made_by(parameters), PRICES)):.0f}"


# ---------------------------------------------------------------------------------------------------------- conditions


@for_each("name", sorted(CHOICES))
def test_made_resources_follow_the_conditions(name: str) -> None:
    decisions = Decisions.of(TEMPLATE, CHOICES[name])

    made = {each.kind for each in made_by(CHOICES[name])}

    assert ("AWS::RDS::DBCluster" in made) == (CHOICES[name].get("CreateDataStores") == "true")
    assert ("AWS::ApiGateway::DomainName" in made) == decisions.holds({"Condition": "HasDomain"})


def test_unknown_function_of_a_condition_is_an_error() -> None:
    with pytest.raises(ValueError, match="Expected a function of conditions"):
        Decisions.of({}, {}).holds({"Fn::Sub": "text"})


def test_values_of_nested_stacks_are_resolved() -> None:
    decisions = Decisions.of({"Conditions": {"Yes": {"Fn::Equals": [{"Ref": "A"}, "1"]}}}, {"A": "1"})

    assert decisions.text({"Ref": "A"}) == "1"
    assert decisions.text({"Fn::If": ["Yes", "a", "b"]}) == "a"
    assert decisions.text({"Fn::GetAtt": "Network.Outputs.Vpc"}) == "Fn::GetAtt"


def test_region_of_the_prices_is_that_of_the_stages() -> None:
    text = Path(ROOT / "samconfig.toml").read_text()

    assert set(re.findall(r'(?m)^region = "(.+)"', text)) == {PRICES.region, REGION}
