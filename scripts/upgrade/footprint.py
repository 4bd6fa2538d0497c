"""The data of an organization as it reads it, to compare before and after an upgrade."""

from dataclasses import dataclass
from typing import Any

from scripts.demo.client import DemoOrganization, Stack, count_stored, get

type Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """The stored events, counted use, statistics, sealed changes, exports and erasures of an organization."""

    stored: int
    used: dict[str, int]
    held: Document
    statistics: list[Document]
    changes: list[str]
    is_log_valid: bool
    exports: list[Document]
    erasures: list[Document]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """An organization whose data is compared, with the ids of its exports and erasures."""

    organization: DemoOrganization
    export_ids: tuple[str, ...] = ()
    erasure_ids: tuple[str, ...] = ()

    def read(self, stack: Stack) -> Footprint:
        """Read the footprint with the organization's secret key.

        Calls of the API are not compared, nor the reads in the audit log: this function adds some of both.
        """
        owner = self.organization
        usage = get(stack, owner, "/usage")
        exports = [get(stack, owner, f"/exports/{each}") for each in self.export_ids]
        return Footprint(
            stored=count_stored(stack, owner),
            used={name: quota["used"] for name, quota in usage["quotas"].items() if name != "api_requests"},
            held=usage["held"],
            statistics=get(stack, owner, "/stats?group_by=day,event_name")["data"],
            changes=[
                f"{entry['sequence']} {entry['action']} {entry['seal']}"
                for entry in get(stack, owner, "/audit?limit=100")["data"]
                if entry["action"].startswith("organization.")
            ],
            is_log_valid=get(stack, owner, "/audit/verify")["valid"],
            exports=[{"status": each["status"], "files": _digests(each)} for each in exports],
            erasures=[get(stack, owner, f"/erasures/{each}")["events"] for each in self.erasure_ids],
        )


def _digests(export: Document) -> dict[str, str]:
    return {file["name"]: file["sha256"] for file in export["files"]}
