"""The audit log on the deployed stack: recorded by the queue, sealed by the sweep, verified."""

from tests.e2e.deployed import Api, Organization, Stack, sweep, wait_for

READ = "GET /v1/organizations/{organization_id}"


def test_operator_reads_are_logged_and_sealed(api: Api, stack: Stack, acme: Organization, globex: Organization) -> None:
    def count_reads(organization: Organization) -> int:
        entries = api.get("/audit", organization.secret_key).document["data"]
        return sum(entry["action"] == READ for entry in entries)

    assert api.get(f"/organizations/{acme.id}", stack.platform_key).status == 200

    assert wait_for(lambda: count_reads(acme), 1) == 1
    sweep(stack)
    verified = api.get("/audit/verify", acme.secret_key).document
    assert (verified["valid"], verified["first_sequence"]) == (True, 1)
    assert verified["last_sequence"] >= 2  # and acme's own reads, which are recorded as well
    assert count_reads(globex) == 0


def test_roll_up_is_allowed_to_sign(stack: Stack) -> None:
    wait_for(lambda: int(stack.invoke("RollUp")["ran"]), 1)

    assert stack.invoke("RollUp")["audit_entries_pruned"] == 0
