"""Combinations of credential, call, injection point and victim: all, or a sample."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.isolation.proof.attack.calls import Call
from tests.isolation.proof.attack.injection_points import INJECTION_POINTS, InjectionPoint
from tests.isolation.proof.proof_data import (
    ADMIN_ROLE,
    ANONYMOUS_KIND,
    OPERATOR_KIND,
    Credential,
    ProofData,
    ProofOrganization,
)

BORROWED_STEP = 4  # a call with a borrowed sample tries every fourth injection point
CALL_STEP = 7  # does not divide the number of calls, so that credentials in sequence try different calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """One attempt: a caller's request that names the victim at one injection point."""

    credential: Credential
    call: Call
    point: InjectionPoint
    victim: ProofOrganization
    own: ProofOrganization

    @property
    def name(self) -> str:
        owner = "" if self.credential.owner is None else f"{self.own.name}'s "
        return f"{owner}{self.credential.kind}, {self.call.name}, {self.victim.name} in the {self.point.name}"


def all_combinations(data: ProofData, calls: Sequence[Call]) -> Iterator[Combination]:
    for credential in data.credentials:
        for call in calls:
            for point in INJECTION_POINTS:
                for victim in data.organizations:
                    if victim.organization_id != credential.owner:
                        yield _combination(data, credential, call, point, victim)


def sample_combinations(
    data: ProofData, calls: Sequence[Call], permitted: Mapping[str, Sequence[str]]
) -> Iterator[Combination]:
    """Return every injection point of every call, then every credential with some calls.

    *permitted* has the kinds of credentials that may make a call, by the call's name.
    """
    for number, call in enumerate(calls):
        kinds = permitted.get(call.name) or [ADMIN_ROLE]
        for step, point in enumerate(INJECTION_POINTS[number % _step(call) :: _step(call)]):
            kind = kinds[(number + step) % len(kinds)]
            organization = data.organizations[(number + step) % len(data.organizations)]
            owner = None if kind in {OPERATOR_KIND, ANONYMOUS_KIND} else organization.organization_id
            yield _against_one_victim(data, data.credential(kind, owner), call, point, step)
    for number, credential in enumerate(data.credentials):
        for step, point in enumerate(INJECTION_POINTS):
            call = calls[(number * CALL_STEP + step) % len(calls)]
            yield _against_one_victim(data, credential, call, point, number + step)


def _step(call: Call) -> int:
    """Return the distance between the injection points that a call tries in the sample."""
    if call.route.method == "OPTIONS":
        return len(INJECTION_POINTS)
    return BORROWED_STEP if call.is_borrowed else 1


def _combination(
    data: ProofData, credential: Credential, call: Call, point: InjectionPoint, victim: ProofOrganization
) -> Combination:
    """Return one combination.

    A caller without an organization uses the values of one that is not the victim.
    """
    own = next(
        each
        for each in data.organizations
        if each.organization_id == (credential.owner or each.organization_id) and each is not victim
    )
    return Combination(credential=credential, call=call, point=point, victim=victim, own=own)


def _against_one_victim(
    data: ProofData, credential: Credential, call: Call, point: InjectionPoint, step: int
) -> Combination:
    victims = [each for each in data.organizations if each.organization_id != credential.owner]
    return _combination(data, credential, call, point, victims[step % len(victims)])
