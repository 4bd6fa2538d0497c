"""A stack whose servers keep running while one release after another is deployed to it."""

import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from scripts.demo.client import Stack
from scripts.stack import deployment, postgres
from scripts.stack.__main__ import run
from scripts.stack.credentials import Credentials
from scripts.stack.settings import StackSettings
from tenancy.stores.clickhouse.client import connect
from tenancy.stores.postgres.client import Database
from tenancy.use_cases.schema.migrate import AppliedMigrations, migrate

ROOT: Final = Path(__file__).resolve().parents[2]
MIGRATIONS: Final = ROOT / "layers" / "migrations"
GRACE_SECONDS: Final = 5  # between the deletion of an organization and its erasure
# The tests of the deployed stack, without those that stop a part of it.
TESTS: Final = ("main_job", "privacy", "audit", "gateway", "limits", "deletion")


@dataclass(frozen=True, slots=True)
class Releases:
    """Clones of the repository by release, and the stack to which they are deployed.

    The servers are those of the release *after*, from the first deploy on. Only CloudFormation changes the stack, as in
    production: no deploy stops a server.
    """

    settings: StackSettings
    clones: dict[str, Path]

    @classmethod
    def clone(cls, folder: Path, commits: dict[str, str], *, servers: str) -> Self:
        """Clone this repository into *folder* for each of the *commits*, by the name of its release."""
        clones = {name: folder / name for name in commits}
        for name, commit in commits.items():
            subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clones[name])], check=True)
            subprocess.run(["git", "checkout", "--quiet", commit], cwd=clones[name], check=True)
        settings = StackSettings(root=clones[servers], directory=folder / "stack", deletion_grace_seconds=GRACE_SECONDS)
        return cls(settings, clones)

    def build(self, release: str) -> None:
        """Build the bundle of *release*, so that its deploy takes less time."""
        self.settings.directory.mkdir(parents=True, exist_ok=True)
        deployment.build(self._settings_of(release))

    def deploy(self, release: str) -> Stack:
        """Deploy *release* to the stack. The first deploy starts the servers, later ones leave them running."""
        run("up", self._settings_of(release))
        return Stack.load(self.settings.directory)

    def deploy_again(self, release: str) -> None:
        """Deploy *release* with another value of a parameter, so that each function gets a new version."""
        changed = replace(self._settings_of(release), deletion_grace_seconds=GRACE_SECONDS + 1)
        run("up", changed)

    def stop(self) -> None:
        """Stop the stack."""
        run("down", self.settings)

    def migrate(self) -> AppliedMigrations:
        """Bring the schemas of the running stack to those of the code that runs this script.

        The deployed functions stay as they are.
        """
        described = json.loads((self.settings.directory / "stack.json").read_text(encoding="utf-8"))
        credentials = Credentials.load(self.settings.directory)
        port = urlsplit(described["database_url"]).port or 0
        superuser = postgres.superuser_url(self.settings, port=port, credentials=credentials)
        postgres.create_database(superuser, credentials)
        with (
            closing(Database(lambda: str(described["database_url"]), as_owner=True)) as owner,
            closing(connect(described["clickhouse_url"])) as client,
        ):
            return migrate(owner, client, MIGRATIONS)

    def run_its_tests(self, release: str) -> bool:
        """Run the release's own tests of the deployed stack, and tell whether they pass.

        They import the packages of the release's own bundle.
        """
        clone = self.clones[release]
        packages = self._settings_of(release).bundle / "DependenciesLayer" / "python"
        tests = [f"tests/e2e/test_{name}.py" for name in TESTS]
        environment = {**os.environ, "PYTHONPATH": str(packages), "STACK_DIR": str(self.settings.directory)}
        command = [sys.executable, "-m", "pytest", "--quiet", "--tb=short", *tests]
        return subprocess.run(command, cwd=clone, env=environment, check=False).returncode == 0

    def _settings_of(self, release: str) -> StackSettings:
        return replace(self.settings, release=self.clones[release])
