"""Try combinations and judge the answers: nothing foreign, no fault, no hint, no change, nothing in logs or queues."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from tests.given import Databases
from tests.isolation.proof.attack.calls import MOMENT, Call, call_in_some_state, discover_calls, request_of
from tests.isolation.proof.attack.combinations import Combination
from tests.isolation.proof.attack.gateway import Answer, Gateway, Request
from tests.isolation.proof.attack.injection_points import UUIDS, idempotency_key, nobodys_cursor, supplied
from tests.isolation.proof.discovery.tables import REDIS, snapshot
from tests.isolation.proof.leaks.output import Output, wrong_in
from tests.isolation.proof.leaks.queues import Mailroom
from tests.isolation.proof.proof_data import Credential, Named, Neighbours, stranger

CURSOR = re.compile(r'cursor"?\s*:\s*"?([\w=-]{8,})', re.IGNORECASE)
COUNTS = re.compile(r'("(?:used|remaining|ml_predictions|api_requests)": ?)\d+')
FAULTS = range(500, 600)
ANY = range(600)


@dataclass(slots=True)
class Findings:
    """What went wrong, in sentences, and what was tried."""

    leaks: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    tried: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)

    @property
    def all(self) -> list[str]:
        return [*self.leaks, *self.faults, *self.hints, *self.accepted]


@dataclass(slots=True)
class Siege:
    """A deployment under attack. *entitled* are the sorts of credentials that a call succeeds with."""

    databases: Databases
    gateway: Gateway
    neighbours: Neighbours
    mailroom: Mailroom
    output: Output
    nobody: Named
    calls: list[Call] = field(default_factory=list)
    entitled: dict[str, list[str]] = field(default_factory=dict)
    shown: Counter[str] = field(default_factory=Counter)
    findings: Findings = field(default_factory=Findings)
    twins: dict[tuple[Credential, str, str, str, str], tuple[object, ...]] = field(default_factory=dict)

    def is_public(self, call: Call) -> bool:
        return "nobody" in self.entitled[call.name]


def besiege(
    databases: Databases, gateway: Gateway, neighbours: Neighbours, mailroom: Mailroom, output: Output
) -> Siege:
    """Let every organization do what it may, the same things as the others, and keep the cursors of its lists."""
    siege = Siege(
        databases=databases, gateway=gateway, neighbours=neighbours, mailroom=mailroom, output=output,
        nobody=stranger(neighbours.organizations[0]),
    )  # fmt: skip
    for route in gateway.routes:
        calls = discover_calls(route)
        for call in calls:
            siege.entitled[call.name] = _entitled(siege, call)
        working = [call for call in calls if siege.entitled[call.name]] or calls
        siege.calls += working[:1] if calls[0].is_borrowed else working
    mailroom.empty()
    for organization in neighbours.organizations:
        for call in siege.calls:
            _use(siege, call, organization)
        siege.findings.leaks += mailroom.deliver(organization.organization_id)
    siege.findings.leaks += sorted(set(wrong_in(output.take(), neighbours.canaries, None)))
    return siege


def attack(siege: Siege, combinations: Iterable[Combination]) -> None:
    """Try *combinations*, one caller's organization after the other, and look at everything after each."""
    ordered = sorted(combinations, key=lambda each: _phase(each.credential))
    for _, group in groupby(ordered, key=lambda each: _phase(each.credential)):
        phase = list(group)
        caller = phase[0].credential
        victims = [each for each in siege.neighbours.organizations if each.organization_id != caller.owner]
        before = [snapshot(siege.databases, each.organization_id) for each in victims]
        shared = snapshot(siege.databases, None)
        for combination in phase:
            _try(siege, combination)
        _settle(siege, caller)
        if not caller.is_operator:
            _compare(siege, caller, victims, before)
            changed = [name for name, rows in snapshot(siege.databases, None).items() if rows != shared[name]]
            siege.findings.leaks += [f"{caller.kind} changed the platform's {name}" for name in changed]


def _settle(siege: Siege, caller: Credential) -> None:
    """Let the queues be read, then read the logs."""
    found = siege.mailroom.deliver(caller.owner, is_operator=caller.is_operator)
    allowed = None if caller.is_operator else {caller.owner} - {None}
    found += wrong_in(siege.output.take(), siege.neighbours.canaries, allowed)  # type: ignore[arg-type]
    siege.findings.leaks += sorted(set(found))


def _compare(
    siege: Siege, caller: Credential, victims: Sequence[Named], before: list[dict[str, frozenset[str]]]
) -> None:
    for victim, rows in zip(victims, before, strict=True):
        after = snapshot(siege.databases, victim.organization_id)
        changed = [name for name in after if after[name] != rows[name] and (name != REDIS or after[name] - rows[name])]
        siege.findings.leaks += [f"calls of {caller.kind} changed {victim.name}'s {name}" for name in changed]


def _try(siege: Siege, combination: Combination) -> None:
    """Name the victim, then nobody, in the same place: the answers must not differ."""
    credential, call, own = combination.credential, combination.call, combination.own
    request = request_of(call, credential, own)
    placed = combination.placement.place(request, call, own, combination.victim)
    if placed is None:
        return
    found, name = siege.findings, combination.name
    answer = siege.gateway(placed)
    found.tried[call.route.name, combination.placement.name, credential.kind] += 1
    found.answers[answer.status] += 1
    if answer.status in FAULTS:
        found.faults.append(f"{name}: {answer.status}")
    if foreign := _foreign_in(siege, credential, answer, placed):
        found.leaks.append(f"{name}: the answer shows {foreign}")
    if credential.owner and not _is_metered_as(answer, own):
        found.leaks.append(f"{name}: another organization is metered")
    if not (credential.is_operator and combination.placement.name == "path"):
        if answer.status not in _expected(siege, combination):
            found.accepted.append(f"{name}: {answer.status}")
        if _seen(answer, combination.victim, call) != _twin(siege, combination, request):
            found.hints.append(f"{name}: not the answer of an organization that does not exist")


def _is_metered_as(answer: Answer, own: Named) -> bool:
    """Whether the request counts for nobody or for its own organization, whose key is another one with each tier."""
    return answer.metered_by in {"", own.gateway_key} or str(own.organization_id) in answer.metered_by


def _expected(siege: Siege, combination: Combination) -> Collection[int]:
    """Return how naming the victim may be answered: on another's path as if it did not exist, else as a mismatch."""
    credential, call, placement = combination.credential, combination.call, combination.placement
    if siege.is_public(call):
        return ANY
    is_entitled = credential.kind in siege.entitled[call.name]
    if placement.name == "path" and credential.owner and credential.is_live and call.route.is_guarded:
        return {404} if is_entitled or "organization_id" in call.route.parameters else {403, 404}
    return {403, 404} if placement.is_refused and is_entitled else ANY


def _twin(siege: Siege, combination: Combination, request: Request) -> tuple[object, ...]:
    """Return what the caller sees when the same is said of nobody; it does not depend on the victim."""
    call, placement = combination.call, combination.placement
    cursors = {name: nobodys_cursor(cursor) for name, cursor in combination.victim.cursors.items()}
    nobody = replace(siege.nobody, cursors=cursors)
    key = combination.credential, combination.own.name, call.name, placement.name, cursors.get(call.name, "")
    if key not in siege.twins:
        placed = placement.place(request, call, combination.own, nobody)
        assert placed is not None
        answer = siege.gateway(placed)
        if answer.status in FAULTS:
            siege.findings.faults.append(f"{combination.name}, with nobody's: {answer.status}")
        siege.twins[key] = _seen(answer, nobody, call)
    return siege.twins[key]


def _seen(answer: Answer, named: Named, call: Call) -> tuple[object, ...]:
    """Return an answer without what the caller said itself, ids that are new each time, and times."""
    return (answer.status, normal(answer.text, supplied(named, call)))


def normal(text: str, known: dict[str, str]) -> str:
    """Return *text* with marks for *known* texts, ids and times, and for what is used and left: it grows by itself."""
    text = COUNTS.sub(r"\1<count>", text)
    for value, mark in known.items():
        text = text.replace(value, mark)
    return MOMENT.sub("<time>", UUIDS.sub("<id>", text))


def _foreign_in(siege: Siege, credential: Credential, answer: Answer, request: Request) -> set[str]:
    """Return what an answer shows of others; the operator may see every organization."""
    if credential.is_operator:
        return set()
    said = set(request.parameters.values())
    owners = siege.neighbours.owners
    ids = {
        f"the id {found}"
        for found in UUIDS.findall(answer.text)
        if found not in said and owners.get(found, credential.owner) != credential.owner
    }
    return siege.neighbours.canaries.foreign_in(answer.text, credential.owner) | ids


def _entitled(siege: Siege, call: Call) -> list[str]:
    """Return with which sorts of credentials the first organization's call succeeds, and the operator's."""
    own = siege.neighbours.organizations[0]
    kinds = []
    for credential in (*siege.neighbours.of(own.organization_id), *siege.neighbours.of(None)):
        request = request_of(call, credential, own)
        answer = call_in_some_state(siege.gateway, request, credential)
        siege.shown[call.name] += len(siege.neighbours.canaries.found_in(answer.text))
        if foreign := _foreign_in(siege, credential, answer, request):
            siege.findings.leaks.append(f"{credential.kind}, {call.name}: the answer shows {foreign}")
        if answer.is_success:
            kinds.append(credential.kind)
    return kinds


def _use(siege: Siege, call: Call, organization: Named) -> None:
    """Let *organization* make a call itself: with its idempotency key, or to learn the cursor of its list."""
    kinds = [kind for kind in siege.entitled[call.name] if kind not in {"operator", "nobody"}]
    if not kinds:
        return
    request = request_of(call, siege.neighbours.find(kinds[0], organization.organization_id), organization)
    if used := idempotency_key(request, call, organization, organization):
        siege.gateway(used)
    elif found := CURSOR.search(siege.gateway(replace(request, query=(*request.query, ("limit", "1")))).text):
        organization.cursors[call.name] = found[1]


def _phase(credential: Credential) -> tuple[int, str]:
    return (2 if credential.is_operator else 1 if credential.owner else 0, str(credential.owner))
