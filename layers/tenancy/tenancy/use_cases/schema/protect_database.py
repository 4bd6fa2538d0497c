"""Protect a database cluster from deletion, for as long as the deploy that made it stands."""

from tenancy.stores.aws.database_cluster import DatabaseCluster


def protect_database(cluster: DatabaseCluster) -> dict[str, str]:
    """Refuse each deletion of *cluster*, also by its own stack."""
    cluster.set_protection(is_protected=True)
    return {"Protection": "on"}


def unprotect_after_failure(cluster: DatabaseCluster, stack_id: str) -> dict[str, str]:
    """Allow the deletion of *cluster* if CloudFormation takes back the deploy that made it.

    A failed first deploy then leaves no cluster. If the stack is deleted, or the resource leaves the template, the
    protection stays.
    """
    if not cluster.is_rolled_back(stack_id):
        return {"Protection": "on"}
    cluster.set_protection(is_protected=False)
    return {"Protection": "off"}
