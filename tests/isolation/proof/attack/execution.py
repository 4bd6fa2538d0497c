"""Execution of an attack: requests are sent, and everything that they cause is checked."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from itertools import groupby

from tests.isolation.proof.attack.calls import request_for
from tests.isolation.proof.attack.combinations import Combination
from tests.isolation.proof.attack.gateway import OF_SESSIONS, GatewayRequest, GatewayResponse
from tests.isolation.proof.attack.injection_points import Attempt, cursor_with_unknown_ids, placeholders_for
from tests.isolation.proof.attack.target import AttackTarget
from tests.isolation.proof.leaks.output import leaks_in_output
from tests.isolation.proof.leaks.snapshots import changed_tables, snapshot
from tests.isolation.proof.normalization import normalize
from tests.isolation.proof.proof_data import Credential, ProofOrganization

ANY_STATUS = range(600)
PUBLIC_BY_URL = frozenset({"GET /branding/images/{organization_id}/{digest}"})  # for all who have the URL of the image
MANAGING = frozenset(
    {"branding", "domains", "keys", "members", "sso"}
)  # functions whose calls end, add or remove what the next one needs

type VisibleResponse = tuple[int, str]  # the status, and the text without the caller's own values, new ids and times
type UnknownKey = tuple[Credential, str, str, str, str]


def attack(target: AttackTarget, combinations: Iterable[Combination]) -> None:
    """Send *combinations*, grouped by callers' organization, and add findings to *target*."""
    attacker = _Attacker(target)
    ordered = sorted(combinations, key=lambda each: _phase(each.credential))
    for _, group in groupby(ordered, key=lambda each: _phase(each.credential)):
        phase = list(group)
        caller = phase[0].credential
        victims = [each for each in target.data.organizations if each.organization_id != caller.owner]
        before = [snapshot(target.databases, each.organization_id) for each in victims]
        platform_before = snapshot(target.databases, None)
        for combination in phase:
            attacker.send(combination)
        _check_messages_and_output(target, caller)
        if not caller.is_operator:
            for victim, rows in zip(victims, before, strict=True):
                changed = changed_tables(rows, snapshot(target.databases, victim.organization_id))
                target.findings.leaks += [f"calls of {caller.kind} changed {victim.name}'s {name}" for name in changed]
            changed = changed_tables(platform_before, snapshot(target.databases, None))
            target.findings.leaks += [f"{caller.kind} changed the platform's {name}" for name in changed]


def _phase(credential: Credential) -> tuple[int, str]:
    """Return the position of the caller: anonymous, each organization, then the operator."""
    return (2 if credential.is_operator else 1 if credential.owner else 0, str(credential.owner))


def _check_messages_and_output(target: AttackTarget, caller: Credential) -> None:
    """Deliver the messages first, so that the consumers' log lines are checked as well."""
    leaks = target.queues.deliver_all(caller.owner, is_operator=caller.is_operator)
    callers = None if caller.is_operator else [caller.owner] if caller.owner else []
    leaks += leaks_in_output(target.output.take_lines(), target.data.canaries, callers)
    target.findings.leaks += sorted(set(leaks))


@dataclass(slots=True)
class _Attacker:
    """Sends combinations, and compares responses with those for an unknown organization."""

    target: AttackTarget
    unknown_responses: dict[UnknownKey, VisibleResponse] = field(default_factory=dict)

    def send(self, combination: Combination) -> None:
        """Send one combination if its call has that injection point, and check the response."""
        credential, call, point = combination.credential, combination.call, combination.point
        request = request_for(call, credential, combination.own)
        injected = _inject(combination, request, combination.victim)
        if injected is None:
            return
        response = self._send_restored(combination, injected)
        findings = self.target.findings
        findings.attempts[call.route.name, point.name, credential.kind] += 1
        findings.statuses[response.status] += 1
        self._check_response(combination, injected, response)
        if credential.is_operator and point.name == "path":
            return  # the operator may name every organization there
        if response.status not in self._expected_statuses(combination):
            findings.accepted.append(f"{combination.name}: {response.status}")
        if point.is_existence_public or (response.is_success and call.route.name in PUBLIC_BY_URL):
            return
        if self._visible(combination, response, combination.victim) != self._response_for_unknown(combination, request):
            findings.existence_leaks.append(f"{combination.name}: not as for an organization that does not exist")

    def _send_restored(self, combination: Combination, request: GatewayRequest) -> GatewayResponse:
        """Send *request* after the caller's keys and members are restored.

        So equal requests find the same keys and members.
        """
        gateway, credential = self.target.gateway, combination.credential
        if request.route.function in MANAGING and credential.authorization is not None:
            gateway.state.restore_keys(credential.owner)
        return gateway.send(request)

    def _check_response(self, combination: Combination, injected: GatewayRequest, response: GatewayResponse) -> None:
        findings = self.target.findings
        if response.is_fault:
            findings.faults.append(f"{combination.name}: {response.status}")
        if foreign := self.target.foreign_texts(combination.credential, response, injected):
            findings.leaks.append(f"{combination.name}: the answer shows {foreign}")
        if combination.credential.owner and not _has_own_gateway_key(response, combination.own):
            findings.leaks.append(f"{combination.name}: the request counts against another organization's gateway key")

    def _expected_statuses(self, combination: Combination) -> Collection[int]:
        """Return the right statuses: 404 for a foreign id in the path, 422 for a cursor, 403 or 404 elsewhere."""
        credential, call, point = combination.credential, combination.call, combination.point
        if self.target.is_public(call):
            return ANY_STATUS
        is_permitted = credential.kind in self.target.permitted[call.name]
        if point.name == "path" and credential.owner and credential.is_valid and call.route.has_authorizer:
            return {404} if is_permitted or "organization_id" in call.route.parameters else {403, 404}
        refused = {422} if point.name == "cursor" else {403, 404}
        if call.route.path.startswith(OF_SESSIONS) and not call.route.has_authorizer:
            refused = {401, 422}  # as for an unknown organization, or for a repeated query member
        return refused if point.is_refused and is_permitted else ANY_STATUS

    def _response_for_unknown(self, combination: Combination, request: GatewayRequest) -> VisibleResponse:
        """Return the response if the request names an organization that does not exist.

        It is sent once for all victims.
        """
        call = combination.call
        cursors = {name: cursor_with_unknown_ids(cursor) for name, cursor in combination.victim.cursors.items()}
        key = (
            combination.credential,
            combination.own.name,
            call.name,
            combination.point.name,
            cursors.get(call.name, ""),
        )
        if key not in self.unknown_responses:
            unknown = replace(self.target.unknown, cursors=cursors)
            injected = _inject(combination, request, unknown)
            assert injected is not None
            response = self._send_restored(combination, injected)
            if response.is_fault:
                self.target.findings.faults.append(f"{combination.name}, but unknown: {response.status}")
            self.unknown_responses[key] = self._visible(combination, response, unknown)
        return self.unknown_responses[key]

    def _visible(
        self, combination: Combination, response: GatewayResponse, named: ProofOrganization
    ) -> VisibleResponse:
        """Return *response* without the texts of the *named* organization.

        The operator's lists show all organizations, so theirs are left out as well.
        """
        shown = self.target.data.organizations if combination.credential.is_operator else ()
        texts = {
            text: name for each in (*shown, named) for text, name in placeholders_for(each, combination.call).items()
        }
        return response.status, normalize(response.text, texts)


def _inject(combination: Combination, request: GatewayRequest, named: ProofOrganization) -> GatewayRequest | None:
    attempt = Attempt(request=request, call=combination.call, own=combination.own, named=named)
    return combination.point.inject(attempt)


def _has_own_gateway_key(response: GatewayResponse, own: ProofOrganization) -> bool:
    """Whether the request counts against no gateway key, or against the caller's.

    A key that was made for a tier change contains the organization's id.
    """
    return response.gateway_key in {"", own.gateway_key} or str(own.organization_id) in response.gateway_key
