"""Protect a database cluster from deletion, unless the deploy that made it is rolled back."""

from tenancy.stores.aws.database_cluster import DatabaseCluster


def protect_database(cluster: DatabaseCluster) -> dict[str, str]:
    """Refuse each deletion of *cluster*, including a deletion by its own stack."""
    cluster.set_protection(is_protected=True)
    return {"Protection": "on"}


def unprotect_after_failure(cluster: DatabaseCluster, stack_id: str) -> dict[str, str]:
    """Allow the deletion of *cluster* if CloudFormation rolls back the deploy that made it.

    A failed first deploy then leaves no cluster. If the stack is deleted, or the resource leaves the template, the
    protection stays.
    """
    if not cluster.is_rolled_back(stack_id):
        return {"Protection": "on"}
    cluster.set_protection(is_protected=False)
    return {"Protection": "off"}
