"""The data stores that the stack makes: encrypted, in private subnets, backed up, and in the right order."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.deploy.conditions import Decisions
from tenancy.use_cases.schema.data_store_access import POOLED_ROLES
from tests.given import ROOT
from tests.members import for_each
from tests.template.stacks import (
    NESTED,
    STACK,
    STACKS,
    all_resources,
    as_json,
    decided,
    stack_resources,
    with_resources,
)
from tests.template.template import RESOURCES, TEMPLATE, secrets_with
from tests.template.transformed import transformed_template

CFN_LINT = str(Path(sys.executable).with_name("cfn-lint"))
# A parameter that a choice does not use (W2001), and a nested template that `sam deploy` uploads later (W3002).
EXPECTED = ("W2001", "W3002")
CONDITION = "CreatesDataStores"
MADE_TYPES = ("AWS::RDS::", "AWS::ElastiCache::", "AWS::EC2::", STACK)  # which the emulator lacks, or must not make
PERMISSION = "AWS::Lambda::Permission"
FUNCTION_ALARMS = "FunctionAlarms"  # a nested stack of each stack
EVERYWHERE = "0.0.0.0/0"
# Each condition of template.yaml has both values in these sets of parameters.
CHOICES: Mapping[str, Mapping[str, str]] = {
    "as it is": {},
    "own data stores": {
        "CreateDataStores": "true",
        "HighAvailability": "true",
        "HostedZoneId": "Z0123456789",
        "ApiHost": "sdk.attribution.example",
        "AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:alarms",
        "AccessLogs": "true",
        "IngestConcurrency": "400",
        "CustomerManagedKey": "true",
        "DatabaseRotationDays": "30",
        "Waf": "true",
        "GradualDeployment": "true",
        "TrafficShift": "Linear10PercentEvery1Minute",
    },
    "given data stores": {
        "AwsEndpointUrl": "http://127.0.0.1:4566",
        "VpcSubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
        "VpcSecurityGroupIds": "sg-0123456789abcdef0",
        "DatabaseProxyName": "proxy",
    },
}
STACK_CHOICES: Mapping[str, list[Mapping[str, str]]] = {
    "network": [
        {"HighAvailability": "true", "ClickHouseEndpointService": "com.amazonaws.vpce.eu-central-1.vpce-svc-0123"},
        {"HighAvailability": "false", "ClickHouseEndpointService": ""},
    ],
    "postgres": [{"HighAvailability": "true"}, {"HighAvailability": "false"}],
    "cache": [{}],
    "function_alarms": [
        {
            "AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:alarms",
            "ReplicaAddress": "replica.acme.example:5432",
        },
        {"AlarmTopicArn": "", "ReplicaAddress": ""},
    ],
    "secrets": [{"KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}, {"KeyId": ""}],
}


def form_of(logical_id: str, resource: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the form of a resource, which is linted once.

    SAM makes the permissions of a function's routes alike, but for the path.
    """
    if resource["Type"] != PERMISSION:
        return logical_id, resource
    return PERMISSION, {name: value for name, value in resource["Properties"].items() if name != "SourceArn"}


def linted_templates() -> Iterator[tuple[str, str]]:
    """Yield name and text of each template with each choice of parameters.

    Each form of a resource is linted once. A later template has it again only if a changed resource refers to it.
    """
    linted: list[tuple[str, dict[str, Any]]] = []
    for name, values in CHOICES.items():
        template = decided(transformed_template(gradual=values.get("GradualDeployment") == "true"), values)
        changed = {}
        for logical_id, resource in template["Resources"].items():
            if (form := form_of(logical_id, resource)) not in linted:
                linted.append(form)
                changed[logical_id] = resource
        yield f"template {name}", as_json(with_resources(template, changed))
    for stack, choices in STACK_CHOICES.items():
        for number, values in enumerate(choices):
            yield f"{stack} {number}", as_json(decided(STACKS[stack], values))


@pytest.mark.parametrize("name", TEMPLATE["Conditions"])
def test_condition_is_checked_with_both_values(name: str) -> None:
    values = {Decisions.of(TEMPLATE, chosen).holds({"Condition": name}) for chosen in CHOICES.values()}

    assert values == {True, False}


@for_each("stack", sorted(STACKS))
def test_condition_of_a_nested_stack_is_checked_too(stack: str) -> None:
    for name in STACKS[stack].get("Conditions", {}):
        decisions = [Decisions.of(STACKS[stack], chosen) for chosen in STACK_CHOICES[stack]]
        assert {each.holds({"Condition": name}) for each in decisions} == {True, False}


@pytest.mark.exhaustive
def test_templates_pass_cfn_lint_with_each_choice(tmp_path: Path) -> None:
    (tmp_path / "stacks").symlink_to(ROOT / "stacks")
    files = []
    for name, text in linted_templates():
        files.append(tmp_path / f"{name}.json")
        files[-1].write_text(text)
    options = ["--regions", "eu-central-1", "--format", "parseable", "--ignore-checks", *EXPECTED]
    command = [CFN_LINT, *options, "--", *map(str, files)]

    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (found.stdout, found.stderr) == ("", "")


# ------------------------------------------------------------------------------------------------------------ switches


def test_data_stores_are_made_only_if_asked_for() -> None:
    made = {
        name: each
        for name, each in RESOURCES.items()
        if each["Type"].startswith(MADE_TYPES) and name != FUNCTION_ALARMS
    }

    assert TEMPLATE["Parameters"]["CreateDataStores"]["Default"] == "false"
    assert set(NESTED.values()) == set(STACKS)
    assert {each.get("Condition") for each in made.values()} == {CONDITION}


@for_each("resource", sorted(NESTED))
def test_nested_stack_gets_its_parameters(resource: str) -> None:
    declared = STACKS[NESTED[resource]].get("Parameters", {})

    given = RESOURCES[resource]["Properties"].get("Parameters", {})

    assert set(given) <= set(declared)
    assert {name for name, parameter in declared.items() if "Default" not in parameter} <= set(given)


def outputs_used() -> set[tuple[str, str]]:
    """Return stack and output of each reference to an output of a nested stack."""
    text = json.dumps(TEMPLATE)
    return set(re.findall(r'"Fn::GetAtt": "(\w+)\.Outputs\.(\w+)"', text))


def test_each_output_of_a_nested_stack_is_used() -> None:
    given = {(name, output) for name, stack in NESTED.items() for output in STACKS[stack].get("Outputs", {})}

    assert outputs_used() == given


def test_migrate_waits_for_the_roles_and_the_proxy() -> None:
    schemas, targets = RESOURCES["SchemaMigration"]["Properties"], RESOURCES["ProxyTargets"]

    assert schemas["Proxy"] == {"Fn::If": [CONDITION, {"Ref": "ProxyTargets"}, {"Ref": "AWS::NoValue"}]}
    assert targets["DependsOn"] == "DataStoreAccess"


def test_functions_are_in_the_private_subnets() -> None:
    chosen, network, other = TEMPLATE["Globals"]["Function"]["VpcConfig"]["Fn::If"]

    assert chosen == CONDITION
    assert network["SubnetIds"] == {"Fn::Split": [",", {"Fn::GetAtt": "Network.Outputs.PrivateSubnets"}]}
    assert network == RESOURCES["Bootstrap"]["Properties"]["VpcConfig"]
    assert other["Fn::If"][0] == "InVpc"


@for_each("stack", sorted(STACKS))
def test_parameters_and_outputs_are_described(stack: str) -> None:
    parts = {**STACKS[stack].get("Parameters", {}), **STACKS[stack].get("Outputs", {})}

    assert [name for name, part in parts.items() if not part.get("Description")] == []
    assert [line for line in (ROOT / f"stacks/{stack}.yaml").read_text().splitlines() if len(line) > 140] == []


def test_stack_with_given_stores_names_no_resource_of_its_own() -> None:
    """The emulator does not support their types."""
    decided_template = decided(transformed_template(), {})
    del decided_template["Resources"][FUNCTION_ALARMS]
    made = json.dumps(decided_template)

    assert not [part for part in (*MADE_TYPES, "Outputs.") if part in made]


# ------------------------------------------------------------------------------------------------------------- secrets


def names_of_secrets() -> dict[str, str]:
    return {
        name: each["Properties"]["Name"]["Fn::Sub"].removeprefix("${SecretsPrefix}/")
        for name, each in stack_resources("secrets").items()
    }


def test_each_secret_that_a_function_reads_is_made() -> None:
    """The operator makes the secrets of ClickHouse. The stack itself makes the keys of tokens and of the platform."""
    read = set().union(*(secrets_with(each, "secretsmanager:GetSecretValue") for each in functions()))
    own = {"platform-key", "token-signing-keys", "token-public-keys"}

    assert read - own - {"clickhouse", "clickhouse-reader"} <= set(names_of_secrets().values())


def test_each_secret_has_the_key_of_the_stack() -> None:
    with_key, without_key = (decided(STACKS["secrets"], values)["Resources"] for values in STACK_CHOICES["secrets"])

    keys = [each["Properties"].get("KmsKeyId") for each in with_key.values()]
    assert keys == [{"Ref": "KeyId"}] * len(names_of_secrets())
    assert not [name for name, each in without_key.items() if "KmsKeyId" in each["Properties"]]
    assert RESOURCES["DataSecrets"]["Properties"]["Parameters"]["KeyId"] == {
        "Fn::If": ["HasCustomerManagedKey", {"Ref": "DataKey"}, ""]
    }


def functions() -> list[str]:
    return sorted(path.parent.name for path in ROOT.glob("functions/*/app.py"))


def test_passwords_are_generated_without_punctuation() -> None:
    generated = {
        name: each["Properties"]["GenerateSecretString"]
        for name, each in stack_resources("secrets").items()
        if "GenerateSecretString" in each["Properties"]
    }

    assert {names_of_secrets()[name] for name in generated} == {
        *(role.password_secret for role in POOLED_ROLES),
        *(role.clone_password_secret for role in POOLED_ROLES),
        "owner-password",
        "redis-password",
    }
    for properties in generated.values():
        assert properties["ExcludePunctuation"]
        assert properties["PasswordLength"] >= 32


def test_password_secret_names_its_role() -> None:
    by_name = {name: key for key, name in names_of_secrets().items()}

    for role in POOLED_ROLES:
        for secret, user in ((role.password_secret, role.name), (role.clone_password_secret, role.clone)):
            made = stack_resources("secrets")[by_name[secret]]["Properties"]["GenerateSecretString"]
            assert json.loads(made["SecretStringTemplate"]) == {"username": user}


# ---------------------------------------------------------------------------------------------------------- PostgreSQL


def of_postgres(name: str) -> dict[str, Any]:
    properties: dict[str, Any] = stack_resources("postgres")[name]["Properties"]
    return properties


def test_cluster_is_encrypted_with_its_own_key() -> None:
    assert of_postgres("Cluster")["StorageEncrypted"] is True
    assert of_postgres("Cluster")["KmsKeyId"] == {"Fn::GetAtt": "Key.Arn"}
    assert of_postgres("Key")["EnableKeyRotation"] is True


def test_cluster_takes_tls_only_and_logs_no_statement() -> None:
    parameters = of_postgres("Parameters")["Parameters"]

    assert of_postgres("Cluster")["DBClusterParameterGroupName"] == {"Ref": "Parameters"}
    assert (parameters["rds.force_ssl"], parameters["log_statement"]) == ("1", "none")
    assert (parameters["log_min_error_statement"], parameters["log_error_verbosity"]) == ("panic", "terse")


def test_cluster_can_run_the_jobs_that_certificates_rely_on() -> None:
    """The library is loaded at a start only, so a later change would need a restart."""
    parameters = of_postgres("Parameters")["Parameters"]

    assert "pg_cron" in parameters["shared_preload_libraries"].split(",")
    assert parameters["cron.database_name"] == "postgres"


def test_log_of_the_cluster_ends() -> None:
    """RDS would make the group itself, and keep its lines for ever."""
    cluster, log = stack_resources("postgres")["Cluster"], of_postgres("ClusterLog")

    name, values = log["LogGroupName"]["Fn::Sub"]
    assert cluster["Properties"]["EnableCloudwatchLogsExports"] == ["postgresql"]
    assert name == f"/aws/rds/cluster/{cluster['Properties']['DBClusterIdentifier']['Fn::Sub'][0]}/postgresql"
    assert values == cluster["Properties"]["DBClusterIdentifier"]["Fn::Sub"][1]
    assert (cluster["DependsOn"], log["RetentionInDays"]) == ("ClusterLog", 30)


def test_backups_last_35_days_and_a_snapshot_is_kept() -> None:
    cluster = stack_resources("postgres")["Cluster"]

    assert cluster["Properties"]["BackupRetentionPeriod"] == 35
    assert cluster["Properties"]["DeleteAutomatedBackups"] is False
    assert (cluster["DeletionPolicy"], cluster["UpdateReplacePolicy"]) == ("Snapshot", "Snapshot")


def test_database_never_pauses() -> None:
    scaling = of_postgres("Cluster")["ServerlessV2ScalingConfiguration"]
    minimum = TEMPLATE["Parameters"]["DatabaseMinimumCapacity"]

    assert scaling["MinCapacity"] == {"Ref": "MinimumCapacity"}
    assert "SecondsUntilAutoPause" not in scaling
    assert 0.5 == minimum["MinValue"] == STACKS["postgres"]["Parameters"]["MinimumCapacity"]["MinValue"]
    assert 0.5 <= minimum["Default"] <= 1


def test_database_is_protected_from_deletion_once_it_has_roles() -> None:
    protection = RESOURCES["DatabaseProtection"]

    assert protection["Condition"] == CONDITION
    assert protection["Properties"]["Roles"] == {"Ref": "DataStoreAccess"}
    assert protection["Properties"]["Cluster"] == {"Fn::GetAtt": "Postgres.Outputs.ClusterId"}


def test_no_instance_is_public() -> None:
    instances = [each for each in stack_resources("postgres").values() if each["Type"] == "AWS::RDS::DBInstance"]

    assert [each["Properties"]["PubliclyAccessible"] for each in instances] == [False, False]


def test_proxy_has_one_secret_for_each_user() -> None:
    proxy = of_postgres("Proxy")
    [statement] = of_postgres("ProxyRole")["Policies"][0]["PolicyDocument"]["Statement"]

    secrets = [auth["SecretArn"] for auth in proxy["Auth"]]

    assert len(secrets) == 2 * len(POOLED_ROLES)
    assert statement["Resource"] == secrets
    assert proxy["RequireTLS"] is True
    assert {auth["IAMAuth"] for auth in proxy["Auth"]} == {"DISABLED"}


def test_role_of_the_proxy_works_for_this_account_alone() -> None:
    [statement] = of_postgres("ProxyRole")["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


# ------------------------------------------------------------------------------------------------------------- network


def test_no_group_admits_the_internet() -> None:
    groups = [each for each in stack_resources("network").values() if each["Type"] == "AWS::EC2::SecurityGroup"]

    rules = [rule for group in groups for rule in group["Properties"].get("SecurityGroupIngress", [])]

    assert rules
    assert all("SourceSecurityGroupId" in rule for rule in rules)


def test_private_subnets_reach_the_internet_through_nat_only() -> None:
    resources = stack_resources("network")
    private = {
        each["Properties"]["RouteTableId"]["Ref"]
        for each in resources.values()
        if each["Type"] == "AWS::EC2::SubnetRouteTableAssociation"
        and each["Properties"]["SubnetId"]["Ref"].startswith("Private")
    }

    routes = [
        each["Properties"]
        for each in resources.values()
        if each["Type"] == "AWS::EC2::Route" and each["Properties"]["RouteTableId"]["Ref"] in private
    ]

    assert len(routes) == len(private) == 2
    assert all("NatGatewayId" in route and "GatewayId" not in route for route in routes)


def test_names_are_unique_among_stacks() -> None:
    """A second stack in the account could not make a resource of a fixed name."""
    members = ("DBProxyName", "UserId", "UserGroupId", "ServerlessCacheName", "DBClusterIdentifier", "AliasName")
    named = [
        (logical_id, member, value)
        for template, logical_id, each in all_resources()
        if template in STACKS
        for member, value in each.get("Properties", {}).items()
        if member in members and not isinstance(value, dict)
    ]

    assert named == []


# ------------------------------------------------------------------------------------ what a failed first deploy leaves

# AWS makes a last snapshot of a cluster that is deleted. It is empty then, and encrypted with a key that is deleted.
VERSION, LAYER = "AWS::Lambda::Version", "AWS::Lambda::LayerVersion"  # versions are deleted with their function
STAYS_AFTER_FAILURE = {("postgres", "Cluster"): "Snapshot"}
STAYS_AFTER_DELETION = {
    ("postgres", "Cluster"): "Snapshot",
    ("postgres", "Key"): "RetainExceptOnCreate",
    **{
        ("template", name): "RetainExceptOnCreate"
        for name in (
            *("AuditDeadLetters", "AuditQueue", "DeadLetters", "DeadLettersBucket", "EventsQueue", "ExportsBucket"),
            *("DataKey", "RegisterBucket", "RejectedCalls", "SealingKey", "SigningKey", "SsoKey"),
        )
    },
}


def test_failed_first_deploy_is_asked_to_leave_a_snapshot_only() -> None:
    """`RetainExceptOnCreate` deletes resources in this case. `Retain` would keep them.

    AWS does not say so for a nested stack whose parent fails. docs/smoke-test.md has the check.
    """
    stays = {
        (template, name): each["DeletionPolicy"]
        for template, name, each in all_resources()
        if each.get("DeletionPolicy") in {"Retain", "Snapshot"}
        if each["Type"] != VERSION
    }

    assert stays == STAYS_AFTER_FAILURE


def test_deletion_of_the_stack_keeps_data_and_keys() -> None:
    stays = {
        (template, name): each["DeletionPolicy"]
        for template, name, each in all_resources()
        if each.get("DeletionPolicy", "Delete") != "Delete" and each["Type"] not in {VERSION, LAYER}
    }

    assert stays == STAYS_AFTER_DELETION
