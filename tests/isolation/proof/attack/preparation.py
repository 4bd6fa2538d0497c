"""Preparation of an attack: permitted callers make every call, and get cursors of lists."""

import re
from dataclasses import replace

from tests.given import Databases
from tests.isolation.proof.attack.calls import Call, discover_calls, request_for, send_in_any_status
from tests.isolation.proof.attack.gateway import LocalGateway
from tests.isolation.proof.attack.injection_points import Attempt, idempotency_key
from tests.isolation.proof.attack.target import AttackTarget
from tests.isolation.proof.leaks.output import CapturedOutput, leaks_in_output
from tests.isolation.proof.leaks.queues import QueueInspector
from tests.isolation.proof.proof_data import (
    ANONYMOUS_KIND,
    OPERATOR_KIND,
    ProofData,
    ProofOrganization,
    unknown_organization,
)

CURSOR = re.compile(r'cursor"?\s*:\s*"?([\w=-]{8,})', re.IGNORECASE)


def prepare_target(
    databases: Databases, gateway: LocalGateway, data: ProofData, queues: QueueInspector, output: CapturedOutput
) -> AttackTarget:
    """Find the permitted callers of each call, then let each organization make its calls."""
    target = AttackTarget(
        databases=databases,
        gateway=gateway,
        data=data,
        queues=queues,
        output=output,
        unknown=unknown_organization(data.organizations[0]),
    )
    for route in gateway.routes:
        target.calls += _working_calls(target, discover_calls(route))
    queues.discard_all()
    for organization in data.organizations:
        for call in target.calls:
            _call_as(target, call, organization)
        target.findings.leaks += queues.deliver_all(organization.organization_id)
    target.findings.leaks += sorted(set(leaks_in_output(output.take_lines(), data.canaries, None)))
    return target


def _working_calls(target: AttackTarget, calls: list[Call]) -> list[Call]:
    """Return the calls that succeed for some caller, all of them if none does.

    Of calls with borrowed samples return only the first.
    """
    for call in calls:
        target.permitted[call.name] = _permitted_kinds(target, call)
    working = [call for call in calls if target.permitted[call.name]] or calls
    return working[:1] if calls[0].is_borrowed else working


def _permitted_kinds(target: AttackTarget, call: Call) -> list[str]:
    """Return the kinds of credentials with which a call for the first organization succeeds."""
    own = target.data.organizations[0]
    kinds = []
    for credential in (*target.data.credentials_of(own.organization_id), *target.data.credentials_of(None)):
        request = request_for(call, credential, own)
        response = send_in_any_status(target.gateway, request, credential)
        target.canaries_shown[call.name] += len(target.data.canaries.locations_in(response.text))
        if foreign := target.foreign_texts(credential, response, request):
            target.findings.leaks.append(f"{credential.kind}, {call.name}: the answer shows {foreign}")
        if response.is_success:
            kinds.append(credential.kind)
    return kinds


def _call_as(target: AttackTarget, call: Call, own: ProofOrganization) -> None:
    """Make *call* with an idempotency key, or with a limit to get the cursor of its list."""
    kinds = [kind for kind in target.permitted[call.name] if kind not in {OPERATOR_KIND, ANONYMOUS_KIND}]
    if not kinds:
        return
    request = request_for(call, target.data.credential(kinds[0], own.organization_id), own)
    with_key = idempotency_key(Attempt(request=request, call=call, own=own, named=own))
    if with_key:
        target.gateway.send(with_key)
        return
    others = (pair for pair in request.query if pair[0] != "limit")
    response = target.gateway.send(replace(request, query=(*others, ("limit", "1"))))
    if found := CURSOR.search(response.text):
        own.cursors[call.name] = found[1]
