"""The command line of restores: ``python -m scripts.restore policy | replay | drill``.

``policy`` and ``replay`` use the AWS credentials of the environment. docs/disaster-recovery.md has the steps around it.
"""

import argparse
import json
import sys
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from scripts.restore.drill import drill
from scripts.restore.replaying import find_policy, replay_register, settings_of, wire
from tenancy.errors import AwsCallError, DeploymentError, Refusal
from tenancy.stores.clickhouse.client import ClickHouseError
from tenancy.stores.redis.client import RedisUnreachableError
from tenancy.use_cases.deletion.erase import OvertakenError, RowsLeftError, WritersActiveError

DEPLOYED: Final = {
    "policy": "print the policy of IAM that a replay needs",
    "replay": "erase and revoke again in restored databases",
}
KNOWN_ERRORS: Final = (
    AwsCallError,
    BotoCoreError,
    ClickHouseError,
    ClientError,
    DeploymentError,
    OvertakenError,
    RedisUnreachableError,
    Refusal,
    RowsLeftError,
    WritersActiveError,
)


def main() -> int:
    """Run one command, and return 1 after a failure."""
    parser = argparse.ArgumentParser(prog="python -m scripts.restore", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in DEPLOYED.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("--stack", required=True, help="the name of the deployed stack")
        command.add_argument("--secrets-prefix", required=True, help="of the secrets with the restored databases' URLs")
    commands.add_parser("drill", help="back up the local stack under load, restore the backup, and replay")
    arguments = parser.parse_args()
    if arguments.command == "drill":
        return 1 if drill() else 0
    try:
        if arguments.command == "policy":
            print(json.dumps(find_policy(arguments.stack, arguments.secrets_prefix), indent=2))
            return 0
        wiring, stores = wire(settings_of(arguments.stack, arguments.secrets_prefix))
        return 1 if replay_register(wiring, stores, say) else 0
    except KNOWN_ERRORS as error:
        print(f"replay: {explain(error)}", file=sys.stderr)
        return 1


def explain(error: BaseException) -> str:
    """Return the error and its causes, of which the last one names a missing permission or a wrong name."""
    causes = [error]
    while causes[-1].__cause__ is not None:
        causes.append(causes[-1].__cause__)
    texts = dict.fromkeys(str(each).strip() or type(each).__name__ for each in causes)
    return f"{' Cause: '.join(texts)} Run the same command again when the cause is gone."


def say(line: str) -> None:
    """Print a line of progress."""
    print(f"replay: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
