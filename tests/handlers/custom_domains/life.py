"""The life of custom domains: requests, the sweep, and the state machine with its function."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from tenancy.gateway.task import TaskFailedError
from tenancy.rules.custom_domains import CustomDomain
from tenancy.stores.aws.domain_executions import DomainExecutions
from tenancy.stores.postgres.custom_domains import find_custom_domain
from tenancy.use_cases.domains.current_claim import ClaimBusyError, OutdatedAttemptError
from tenancy.use_cases.domains.start_domain_work import start_domain_work
from tenancy.use_cases.organizations.provision import Provisioned
from tests.given import ROOT, Databases, tenant_of
from tests.handlers.clock import StoppedClock
from tests.handlers.custom_domains.aws_of_domains import AwsOfDomains
from tests.handlers.functions import Function, superuser
from tests.handlers.requests import Answer, Event, answer_of, called_by, sample, with_body, with_path
from tests.name_server import NameServer

DOMAIN = "data.acme.example"
MACHINE = json.loads((ROOT / "functions" / "domains" / "serve_domain.asl.json").read_text())
MOST_STEPS = 50  # of one execution in a test
FIND_OWNERS = b"SELECT organization_id FROM find_custom_domain_owners(ARRAY[%s])"


class StartedExecutions(DomainExecutions):
    """Keeps the inputs of executions instead of a call of Step Functions."""

    def __init__(self) -> None:
        self.inputs: list[dict[str, Any]] = []

    def start(self, organization_id: UUID, claim_id: UUID, *, attempt: int) -> None:
        self.inputs.append({"organization_id": str(organization_id), "claim_id": str(claim_id), "attempt": attempt})


def request_of(case: str, provisioned: Provisioned, domain: str = DOMAIN) -> Event:
    """Return the sample *case* of an organization, about *domain*."""
    request = sample("domains", case)
    if case == "claim":
        request = with_body(request, {"domain": domain})
    if request["pathParameters"]:
        path = request["resource"].replace("{domain}", domain)
        request = {**with_path(request, path, request["resource"]), "pathParameters": {"domain": domain}}
    return called_by(request, tenant_of(provisioned))


@dataclass(slots=True, kw_only=True)
class Life:
    """The functions, the DNS server and AWS of custom domains. The clock stands still until a test advances it."""

    databases: Databases
    routes: Function
    steps: Function
    names: NameServer
    aws: AwsOfDomains
    clock: StoppedClock
    executions: StartedExecutions = field(default_factory=StartedExecutions)
    last_task: Event = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        return self.clock.moment

    def call(self, case: str, provisioned: Provisioned, domain: str = DOMAIN) -> Answer:
        return answer_of(self.routes(request_of(case, provisioned, domain)))

    def claim(self, provisioned: Provisioned, domain: str = DOMAIN) -> dict[str, Any]:
        answer = self.call("claim", provisioned, domain)
        assert answer.status == 201
        return dict(answer.document)

    def show(self, provisioned: Provisioned, domain: str = DOMAIN) -> dict[str, Any]:
        return dict(self.call("show", provisioned, domain).document)

    def set_records(self, document: dict[str, Any], *purposes: str) -> None:
        """Create the records of a claim, those for *purposes* or all."""
        for record in document["records"]:
            if not purposes or record["purpose"] in purposes:
                self.names.put(record["name"], record["type"], record["value"])

    def sweep(self) -> int:
        """Start the executions that are due, and return their number."""
        run = start_domain_work(self.databases.platform, self.executions, now=self.now)
        assert run.failures == []
        return run.started

    def run(self, *, deaths: int = 0) -> list[str]:
        """Start the due executions, run all until they wait or end, and return the states that were entered."""
        self.sweep()
        entered: list[str] = []
        while self.executions.inputs:
            entered += self.execute(self.executions.inputs.pop(0), deaths=deaths)
        return entered

    def execute(self, start: dict[str, Any], *, deaths: int = 0) -> list[str]:
        """Run an execution until it waits a second time in one state, or ends. A failed task is tried again."""
        return list(self._states(dict(start), deaths))

    def _states(self, data: dict[str, Any], deaths: int) -> Iterator[str]:
        state = MACHINE["StartAt"]
        for _ in range(MOST_STEPS):
            yield state
            definition = MACHINE["States"][state]
            match definition["Type"]:
                case "Wait" if data["step"]["outcome"] != "waiting":
                    state = definition["Next"]
                case "Wait" | "Succeed" | "Fail":
                    return
                case "Choice":
                    state = chosen(definition, data["step"]["outcome"])
                case "Task":
                    try:
                        self.last_task = task_input(definition["Parameters"]["task"], data)
                        data["step"] = self.steps(self.last_task)
                        state = definition.get("Next", "Released")
                    except OutdatedAttemptError:
                        state = "Outdated"
                    except (TaskFailedError, ClaimBusyError):
                        deaths -= 1
                        if deaths < 0:
                            raise
        raise AssertionError("The execution does not end.")

    def repeat_last_task(self) -> dict[str, Any]:
        """Run the last task again, as Step Functions does after a lost answer."""
        return self.steps(self.last_task)

    def serve(self, provisioned: Provisioned, domain: str = DOMAIN) -> dict[str, Any]:
        """Claim *domain*, set its records, and return the active domain."""
        self.set_records(self.claim(provisioned, domain))
        assert self.call("verify", provisioned, domain).status == 200
        self.run()
        shown = self.show(provisioned, domain)
        assert shown["status"] == "active"
        return shown

    def stored(self, provisioned: Provisioned, domain: str = DOMAIN) -> CustomDomain | None:
        organization_id = provisioned.organization.id
        with self.databases.platform.tenant_transaction(organization_id) as conn:
            return find_custom_domain(conn, organization_id, domain)

    def owner(self, domain: str = DOMAIN) -> UUID | None:
        """Return the organization whose requests are served at *domain*."""
        with self.databases.functions.transaction() as conn:
            found = conn.execute(FIND_OWNERS, (domain,)).fetchone()
        return found[0] if found else None

    def actions(self, provisioned: Provisioned) -> list[str]:
        """Return the audited changes of domains, sorted by name, and check that no entry names a domain."""
        with superuser(self.databases) as conn:
            rows = conn.execute(
                "SELECT action, target FROM audit_log WHERE organization_id = %s AND action LIKE 'custom_domain.%%'",
                (provisioned.organization.id,),
            ).fetchall()
        assert not any(DOMAIN in target for _, target in rows)
        return sorted(action.removeprefix("custom_domain.") for action, _ in rows)


def chosen(definition: dict[str, Any], outcome: str) -> str:
    """Return the state that a Choice leads to."""
    choices = {each["StringEquals"]: each["Next"] for each in definition["Choices"]}
    return str(choices.get(outcome, definition["Default"]))


def task_input(task: str, data: dict[str, Any]) -> Event:
    ids = {name: data[name] for name in ("organization_id", "claim_id", "attempt")}
    return {"task": task, "execution": f"{data['claim_id']}-{data['attempt']}", **ids}
