"""Bootstrap protects the cluster from deletion, and allows it only while a failed deploy is rolled back."""

import json
from typing import Any

import boto3
import pytest
from moto.cloudformation.models import cloudformation_backends
from moto.rds.exceptions import DBClusterNotFoundError, InvalidDBClusterStateFault
from moto.rds.models import rds_backends
from werkzeug.exceptions import HTTPException

from tenancy.stores.aws import database_cluster
from tests.given import REGION
from tests.handlers.bootstrap.conftest import Reports, Run
from tests.handlers.cloudformation import stack_request
from tests.handlers.functions import Function

ACCOUNT = "123456789012"  # moto's


@pytest.fixture
def protect(bootstrap: Function, reports: Reports) -> Run:
    """Send CloudFormation's request for the protection of a cluster, and return the report."""
    rds = boto3.client("rds", region_name=REGION)
    rds.create_db_cluster(
        DBClusterIdentifier="acme", Engine="aurora-postgresql", MasterUsername="root", MasterUserPassword="password"
    )

    def send(request_type: str, stack_id: str = "", cluster: str = "acme") -> dict[str, Any]:
        url, received = reports
        request = stack_request(request_type, url) | {"ResourceType": "Custom::DatabaseProtection"}
        request |= {"ResourceProperties": {"Cluster": cluster}} | ({"StackId": stack_id} if stack_id else {})
        bootstrap(request)
        return received[-1]

    return send


def is_protected() -> bool:
    [cluster] = boto3.client("rds", region_name=REGION).describe_db_clusters(DBClusterIdentifier="acme")["DBClusters"]
    return bool(cluster["DeletionProtection"])


def make_stack() -> str:
    template = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    made = boto3.client("cloudformation", region_name=REGION).create_stack(StackName="acme", TemplateBody=template)
    return str(made["StackId"])


def test_cluster_is_protected_once_it_has_roles(protect: Run) -> None:
    assert protect("Create")["Status"] == "SUCCESS"

    assert is_protected()


def test_deletion_of_the_stack_leaves_the_protection(protect: Run) -> None:
    protect("Create")

    report = protect("Delete", make_stack())

    assert report["Status"] == "SUCCESS"
    assert is_protected()


@pytest.mark.parametrize("status", ["ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"])
def test_failed_deploy_switches_the_protection_off(protect: Run, status: str) -> None:
    protect("Create")
    stack_id = make_stack()
    cloudformation_backends[ACCOUNT][REGION].stacks[stack_id].status = status  # moto has no call for it

    report = protect("Delete", stack_id)

    assert report["Status"] == "SUCCESS"
    assert not is_protected()


class ThrottledError(HTTPException):
    """The answer of AWS to an account that has sent too many calls."""

    code = 400
    description = (
        "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>"
    )


def refuse_once(monkeypatch: pytest.MonkeyPatch, backend: object, call: str, error: Exception) -> list[int]:
    """Let the first *call* of moto's *backend* fail. Return a list with the number of calls."""
    work, calls = getattr(backend, call), [0]

    def refuse_first(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as moto's
        calls[0] += 1
        if calls[0] == 1:
            raise error
        return work(*arguments, **named)

    monkeypatch.setattr(backend, call, refuse_first)
    return calls


def test_throttled_roll_back_is_repeated(protect: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A roll-back that fails leaves the stack, its network and a protected cluster."""
    protect("Create")
    stack_id, backend = make_stack(), cloudformation_backends[ACCOUNT][REGION]
    backend.stacks[stack_id].status = "ROLLBACK_IN_PROGRESS"
    calls = refuse_once(monkeypatch, backend, "describe_stacks", ThrottledError())

    report = protect("Delete", stack_id)

    assert report["Status"] == "SUCCESS", report["Reason"]
    assert calls == [2]
    assert not is_protected()


def test_cluster_that_is_being_changed_is_waited_for(protect: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{database_cluster.__name__}.DATABASE_CLUSTER_STATE_PAUSE_SECONDS", 0.01)
    refusal = InvalidDBClusterStateFault("DB Cluster is not in an available state.")
    calls = refuse_once(monkeypatch, rds_backends[ACCOUNT][REGION], "modify_db_cluster", refusal)

    report = protect("Create")

    assert report["Status"] == "SUCCESS", report["Reason"]
    assert calls == [2]
    assert is_protected()


def test_wait_for_a_cluster_ends(protect: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{database_cluster.__name__}.DATABASE_CLUSTER_STATE_TIMEOUT_SECONDS", 0)
    refusal = InvalidDBClusterStateFault("DB Cluster is not in an available state.")
    calls = refuse_once(monkeypatch, rds_backends[ACCOUNT][REGION], "modify_db_cluster", refusal)

    report = protect("Create")

    assert report["Status"] == "FAILED"
    assert calls == [1]


def test_missing_cluster_is_reported_by_its_code(protect: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The roll-back of a first deploy deletes the log of the function."""
    refusal = DBClusterNotFoundError("acme", "A text of AWS.")
    calls = refuse_once(monkeypatch, rds_backends[ACCOUNT][REGION], "modify_db_cluster", refusal)

    report = protect("Create")

    assert report["Status"] == "FAILED"
    assert "ModifyDBCluster was answered DBClusterNotFound" in report["Reason"]
    assert "A text of AWS" not in report["Reason"]
    assert calls == [1]
