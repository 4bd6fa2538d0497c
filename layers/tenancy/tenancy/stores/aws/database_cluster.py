"""The cluster of Aurora that the stack makes, and whether CloudFormation rolls the stack back."""

from typing import Any, Final

from tenancy.stores.aws.boto import BOTO_CONFIG, make_client

ROLL_BACK: Final = "ROLLBACK"  # in each status of a stack that is rolled back


class DatabaseCluster:
    """One cluster of Aurora."""

    def __init__(self, region: str, cluster_id: str) -> None:
        """Change the cluster *cluster_id*."""
        self._rds: Any = make_client("rds", region, BOTO_CONFIG)
        self._stacks: Any = make_client("cloudformation", region, BOTO_CONFIG)
        self._cluster_id = cluster_id

    def set_protection(self, *, is_protected: bool) -> None:
        """Refuse each deletion of the cluster, or allow it again."""
        self._rds.modify_db_cluster(
            DBClusterIdentifier=self._cluster_id, DeletionProtection=is_protected, ApplyImmediately=True
        )

    def is_rolled_back(self, stack_id: str) -> bool:
        """Return whether CloudFormation rolls the stack back after a failed deploy."""
        [stack] = self._stacks.describe_stacks(StackName=stack_id)["Stacks"]
        return ROLL_BACK in stack["StackStatus"]
