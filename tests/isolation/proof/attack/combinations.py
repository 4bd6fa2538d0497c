"""Which combinations are tried: all of them, or a sample that has every call, placement and credential in it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.isolation.proof.attack.calls import Call
from tests.isolation.proof.attack.injection_points import PLACEMENTS, Placement
from tests.isolation.proof.proof_data import Credential, Named, Neighbours

SHARE = 4  # of the placements, for each of the routes that share a sample
SPREAD = 7  # no divisor of the number of calls: neighbouring credentials then try different ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """One attempt: who calls what, about whom, and where that is said."""

    credential: Credential
    call: Call
    placement: Placement
    victim: Named
    own: Named

    @property
    def name(self) -> str:
        who = self.credential.kind if self.credential.owner is None else f"{self.own.name}'s {self.credential.kind}"
        return f"{who}, {self.call.name}, {self.victim.name} in the {self.placement.name}"


def every(neighbours: Neighbours, calls: Sequence[Call]) -> Iterator[Combination]:
    """Return all combinations."""
    for credential in neighbours.credentials:
        for call in calls:
            for placement in PLACEMENTS:
                for victim in neighbours.organizations:
                    if victim.organization_id != credential.owner:
                        yield combine(neighbours, credential, call, placement, victim)


def sampled(
    neighbours: Neighbours, calls: Sequence[Call], entitled: Mapping[str, Sequence[str]]
) -> Iterator[Combination]:
    """Return each placement of each call, by somebody who may make the call, and each credential with some call."""
    for number, call in enumerate(calls):
        kinds = entitled.get(call.name) or ["super_admin"]
        share = len(PLACEMENTS) if call.route.method == "OPTIONS" else SHARE if call.is_borrowed else 1
        for step, placement in enumerate(PLACEMENTS[number % share :: share]):
            kind = kinds[(number + step) % len(kinds)]
            organization = neighbours.organizations[(number + step) % len(neighbours.organizations)]
            owner = None if kind in {"operator", "nobody"} else organization.organization_id
            yield _against_next(neighbours, neighbours.find(kind, owner), call, placement, step)
    for number, credential in enumerate(neighbours.credentials):
        for step, placement in enumerate(PLACEMENTS):
            yield _against_next(
                neighbours, credential, calls[(number * SPREAD + step) % len(calls)], placement, number + step
            )


def combine(
    neighbours: Neighbours, credential: Credential, call: Call, placement: Placement, victim: Named
) -> Combination:
    """Return one combination; who has no organization starts from another one than the victim."""
    own = next(
        each
        for each in neighbours.organizations
        if each.organization_id == (credential.owner or each.organization_id) and each is not victim
    )
    return Combination(credential=credential, call=call, placement=placement, victim=victim, own=own)


def _against_next(
    neighbours: Neighbours, credential: Credential, call: Call, placement: Placement, step: int
) -> Combination:
    victims = [each for each in neighbours.organizations if each.organization_id != credential.owner]
    return combine(neighbours, credential, call, placement, victims[step % len(victims)])
