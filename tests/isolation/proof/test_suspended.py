"""A suspended organization is served on no route, whoever calls for it; every route and credential is discovered."""

import json
from dataclasses import replace

from tests.isolation.proof.attack.calls import Call, discover_calls, request_of
from tests.isolation.proof.attack.gateway import Gateway
from tests.isolation.proof.proof_data import Neighbours

CHANGE = "PATCH /organizations/{organization_id}"
REFUSED = (403, "organization_inactive")
AS_IF_THERE_WERE_NONE = {"GET /projects/{writeKey}/settings": (404, "not_found")}
FEWEST = 50  # served combinations, so that the test means something


def test_suspension_shuts_every_route_to_every_credential_at_once(gateway: Gateway, neighbours: Neighbours) -> None:
    acme = neighbours.organizations[0]
    [operator] = [each for each in neighbours.credentials if each.is_operator]
    nobody = next(each for each in neighbours.of(None) if not each.is_operator)
    calls = [call for route in gateway.routes if route.method != "OPTIONS" for call in discover_calls(route)]

    def is_served(call: Call) -> list[str]:
        gateway.restore()
        if gateway(request_of(call, nobody, acme)).is_success:
            return []  # a public route tells nothing of anybody
        served = []
        for credential in neighbours.of(acme.organization_id):
            gateway.restore()
            if gateway(request_of(call, credential, acme)).is_success:
                served.append(credential.kind)
        return served

    served = [(call, kind) for call in calls for kind in is_served(call)]
    change = next(call for call in calls if call.route.name == CHANGE)
    assert gateway(request_of(replace(change, document={"status": "suspended"}), operator, acme)).is_success
    open_still = []
    for call, kind in served:
        answer = gateway(request_of(call, neighbours.find(kind, acme.organization_id), acme))
        if (answer.status, json.loads(answer.body).get("code")) != AS_IF_THERE_WERE_NONE.get(call.route.name, REFUSED):
            open_still.append(f"{call.name} to {kind}: {answer.status}")
    assert open_still == []
    assert len(served) >= FEWEST
