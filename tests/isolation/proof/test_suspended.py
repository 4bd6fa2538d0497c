"""A suspended organization is refused on every route with every credential."""

import json
from collections.abc import Iterator
from dataclasses import replace

from tests.isolation.proof.attack.calls import Call, discover_calls, request_for
from tests.isolation.proof.attack.gateway import GatewayResponse, LocalGateway
from tests.isolation.proof.proof_data import (
    ANONYMOUS_KIND,
    OPERATOR_KIND,
    Credential,
    ProofData,
    ProofOrganization,
)

CHANGE_ORGANIZATION = "PATCH /organizations/{organization_id}"
REFUSED = (403, "organization_inactive")
REFUSED_AS_UNKNOWN = {"GET /projects/{writeKey}/settings": (404, "not_found")}
FEWEST_SERVED = 50


def test_suspended_organization_is_refused_on_every_route(gateway: LocalGateway, data: ProofData) -> None:
    acme = data.organizations[0]
    calls = [call for route in gateway.routes if route.method != "OPTIONS" for call in discover_calls(route)]
    calls = [call for call in calls if call.route.reads_authorization]  # members may log in, and then learn the status
    served = [(call, credential) for call in calls for credential in _served_credentials(gateway, data, call, acme)]

    _suspend(gateway, data, calls, acme)

    still_served = []
    for call, credential in served:
        response = gateway.send(request_for(call, credential, acme))
        if _status_and_code(response) != REFUSED_AS_UNKNOWN.get(call.route.name, REFUSED):
            still_served.append(f"{call.name} with {credential.kind}: {response.status}")
    assert still_served == []
    assert len(served) >= FEWEST_SERVED


def _served_credentials(
    gateway: LocalGateway, data: ProofData, call: Call, own: ProofOrganization
) -> Iterator[Credential]:
    """Return the organization's credentials with which *call* succeeds, none if it is public."""

    def is_served(credential: Credential) -> bool:
        gateway.state.restore_rows()
        return gateway.send(request_for(call, credential, own)).is_success

    if not is_served(data.credential(ANONYMOUS_KIND, None)):
        yield from filter(is_served, data.credentials_of(own.organization_id))


def _suspend(gateway: LocalGateway, data: ProofData, calls: list[Call], own: ProofOrganization) -> None:
    call = next(call for call in calls if call.route.name == CHANGE_ORGANIZATION)
    suspension = replace(call, document={"status": "suspended"})
    assert gateway.send(request_for(suspension, data.credential(OPERATOR_KIND, None), own)).is_success


def _status_and_code(response: GatewayResponse) -> tuple[int, object]:
    return response.status, json.loads(response.body).get("code")
