"""A clone of the repository, whose stack runs one release after another on the same data."""

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from scripts.demo.client import Stack
from scripts.stack import postgres
from scripts.stack.credentials import Credentials
from scripts.stack.settings import StackSettings
from tenancy.stores.clickhouse.client import connect
from tenancy.stores.postgres.client import Database
from tenancy.use_cases.schema.migrate import AppliedMigrations, migrate

ROOT: Final = Path(__file__).resolve().parents[2]
MIGRATIONS: Final = ROOT / "layers" / "migrations"
GRACE_SECONDS: Final = 5  # between the deletion of an organization and its erasure
FOREIGN_VARIABLES: Final = ("PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS", "STACK_DIR", "STACK_HOSTS")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A clone at *folder* with a stack of its own."""

    folder: Path

    @classmethod
    def clone(cls, folder: Path) -> Self:
        """Clone this repository into *folder*."""
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
        return cls(folder)

    def start(self, commit: str) -> Stack:
        """Check *commit* out and start its code on the data of the stack."""
        subprocess.run(["git", "checkout", "--quiet", "--force", commit], cwd=self.folder, check=True)
        self._make("up")
        return Stack.load(self._stack_folder)

    def stop(self) -> None:
        """Stop the stack."""
        self._make("down")

    def migrate(self) -> AppliedMigrations:
        """Bring the schemas of the running stack to those of the code that runs this script.

        The deployed functions stay as they are.
        """
        described = json.loads((self._stack_folder / "stack.json").read_text(encoding="utf-8"))
        credentials = Credentials.load(self._stack_folder)
        settings = StackSettings(root=self.folder, directory=self._stack_folder)
        port = urlsplit(described["database_url"]).port or 0
        postgres.create_database(postgres.superuser_url(settings, port=port, credentials=credentials), credentials)
        with (
            closing(Database(lambda: str(described["database_url"]), as_owner=True)) as owner,
            closing(connect(described["clickhouse_url"])) as client,
        ):
            return migrate(owner, client, MIGRATIONS)

    @property
    def _stack_folder(self) -> Path:
        return self.folder / ".local"

    def _make(self, target: str) -> None:
        environment = {name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES}
        subprocess.run(
            ["make", target, f"PYTHON={sys.executable}"],
            cwd=self.folder,
            env=environment | {"DELETION_GRACE": str(GRACE_SECONDS)},
            check=True,
        )
