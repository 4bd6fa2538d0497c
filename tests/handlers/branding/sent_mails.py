"""A mail as SES has got it, with its sender and its HTML part, which moto does not keep."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMail:
    """A mail as SES has got it."""

    sender: str
    to: str
    subject: str
    text: str
    html: str | None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "SentMail":
        content = values["Content"]["Simple"]
        return cls(
            sender=values["FromEmailAddress"],
            to=values["Destination"]["ToAddresses"][0],
            subject=content["Subject"]["Data"],
            text=content["Body"]["Text"]["Data"],
            html=content["Body"].get("Html", {}).get("Data"),
        )
