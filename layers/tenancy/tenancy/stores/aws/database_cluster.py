"""The cluster of Aurora that the stack makes, and whether CloudFormation rolls the stack back."""

import time
from typing import Any, Final

from botocore.exceptions import ClientError

from tenancy.rules.durations import (
    DATABASE_CLUSTER_READ_TIMEOUT_SECONDS,
    DATABASE_CLUSTER_STATE_PAUSE_SECONDS,
    DATABASE_CLUSTER_STATE_TIMEOUT_SECONDS,
)
from tenancy.stores.aws.boto import BotoConfig, make_client

ROLL_BACK: Final = "ROLLBACK"  # in each status of a stack that is rolled back
BEING_CHANGED: Final = "InvalidDBClusterStateFault"
# AWS throttles both services for the account while CloudFormation works. A roll-back that fails leaves all resources.
CONFIG: Final = BotoConfig(read_timeout=DATABASE_CLUSTER_READ_TIMEOUT_SECONDS, attempts=5)


class DatabaseCluster:
    """One cluster of Aurora."""

    def __init__(self, region: str, cluster_id: str) -> None:
        """Change the cluster *cluster_id*."""
        self._rds: Any = make_client("rds", region, CONFIG)
        self._stacks: Any = make_client("cloudformation", region, CONFIG)
        self._cluster_id = cluster_id

    def set_protection(self, *, is_protected: bool) -> None:
        """Refuse each deletion of the cluster, or allow it again. Wait while the cluster is being changed."""
        latest = time.monotonic() + DATABASE_CLUSTER_STATE_TIMEOUT_SECONDS
        while not self._modify(is_protected=is_protected, is_last=time.monotonic() >= latest):
            time.sleep(DATABASE_CLUSTER_STATE_PAUSE_SECONDS)

    def is_rolled_back(self, stack_id: str) -> bool:
        """Return whether CloudFormation rolls the stack back after a failed deploy."""
        [stack] = self._stacks.describe_stacks(StackName=stack_id)["Stacks"]
        return ROLL_BACK in stack["StackStatus"]

    def _modify(self, *, is_protected: bool, is_last: bool) -> bool:
        """Set the protection. Return whether RDS took the change, unless this attempt *is_last*."""
        try:
            self._rds.modify_db_cluster(
                DBClusterIdentifier=self._cluster_id, DeletionProtection=is_protected, ApplyImmediately=True
            )
        except ClientError as error:
            if is_last or error.response.get("Error", {}).get("Code") != BEING_CHANGED:
                raise
            return False
        return True
