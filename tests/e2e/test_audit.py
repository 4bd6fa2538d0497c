"""The audit log on the deployed stack: through the queue into the log, sealed by the sweep, verified."""

from tests.e2e.deployed import Api, Organization, Stack, wait_for

LOOK = "GET /v1/organizations/{organization_id}"


def test_what_an_operator_looks_at_is_in_the_organizations_log_and_sealed(
    api: Api, stack: Stack, acme: Organization, globex: Organization
) -> None:
    assert api.get(f"/organizations/{acme.id}", stack.platform_key).status == 200

    def looks(organization: Organization) -> int:
        entries = api.get("/audit", organization.secret_key).document["data"]
        return sum(entry["action"] == LOOK for entry in entries)

    assert wait_for(lambda: looks(acme), 1) == 1
    wait_for(lambda: int(stack.invoke("Sweep")["ran"]), 1)
    verdict = api.get("/audit/verify", acme.secret_key).document
    assert (verdict["valid"], verdict["first_sequence"], verdict["last_sequence"]) == (True, 1, 2)
    assert looks(globex) == 0


def test_the_roll_up_may_sign(stack: Stack) -> None:
    wait_for(lambda: int(stack.invoke("RollUp")["ran"]), 1)
    assert stack.invoke("RollUp")["audit_entries_pruned"] == 0
