"""Find a key in its list, and revoke it after its name was typed."""

from dataclasses import dataclass
from typing import Annotated, Final

import typer

from scripts.tenantctl.api import Api, Document
from scripts.tenantctl.commands import Output
from scripts.tenantctl.errors import CommandError, ExitCode
from scripts.tenantctl.session import Session
from scripts.tenantctl.tables import facts

Overlap = Annotated[int, typer.Option(min=0, help="Seconds for which the old key still works.")]

# The API answers 204 without a document.
revoked: Final = Output(
    schema={
        "type": "object",
        "properties": {"id": {"type": "string"}, "status": {"const": "revoked"}},
        "required": ["id", "status"],
        "additionalProperties": False,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsOfKeys:
    """The list of keys at the path *parts*."""

    session: Session
    api: Api
    parts: tuple[str, ...]

    def confirm(self, action: str, key_id: str, *, is_confirmed: bool) -> None:
        """Ask for the name of the key, unless *is_confirmed*.

        Raises:
            CommandError: there is no such key, or another name was typed.
        """
        if not is_confirmed:
            name = self._find(key_id)["name"]
            self.session.terminal.confirm(f"{action} the key {key_id}", "its name", name, is_confirmed=False)

    def revoke(self, key_id: str, *, is_confirmed: bool) -> None:
        """Revoke the key, and show that."""
        self.confirm("revoke", key_id, is_confirmed=is_confirmed)
        self.api.delete(*self.parts, key_id)
        document = {"id": key_id, "status": "revoked"}
        self.session.terminal.show(document, facts(document, ("id", "status")))

    def _find(self, key_id: str) -> Document:
        with self.session.terminal.waiting_quietly("Looking for the key"):
            rows: list[Document] = self.api.collect(*self.parts, limit=None)["data"]
        found = next((row for row in rows if row["id"] == key_id.lower()), None)
        if found is None:
            raise CommandError.of(ExitCode.NOT_FOUND, "not_found", f"There is no key {key_id}.")
        return found
