"""The command line of restores: ``python -m scripts.restore replay | drill``.

``replay`` uses the AWS credentials of the environment. docs/disaster-recovery.md has the steps around it.
"""

import argparse
import sys

from scripts.restore.drill import drill
from scripts.restore.replaying import replay_register, settings_of, wire
from tenancy.errors import Refusal
from tenancy.use_cases.deletion.erase import RowsLeftError


def main() -> int:
    """Run one command, and return 1 after a failure."""
    parser = argparse.ArgumentParser(prog="python -m scripts.restore", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    replaying = commands.add_parser("replay", help="erase and revoke again in restored databases")
    replaying.add_argument("--stack", required=True, help="the name of the deployed stack")
    replaying.add_argument("--secrets-prefix", required=True, help="of the secrets with the restored databases' URLs")
    commands.add_parser("drill", help="back up the local stack under load, restore the backup, and replay")
    arguments = parser.parse_args()
    if arguments.command == "drill":
        return 1 if drill() else 0
    try:
        wiring, stores = wire(settings_of(arguments.stack, arguments.secrets_prefix))
        return 1 if replay_register(wiring, stores, say) else 0
    except (Refusal, RowsLeftError) as error:
        print(f"replay: {error} Run the same command again.", file=sys.stderr)
        return 1


def say(line: str) -> None:
    """Print a line of progress."""
    print(f"replay: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
