"""The numbers of the model: the quotas and prices of aws.toml, and the service times that were measured."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

HERE: Final = Path(__file__).parent
AWS: Final = HERE / "aws.toml"
SERVICE_TIMES: Final = HERE / "service_times.json"


@dataclass(frozen=True, kw_only=True)
class AwsNumbers:
    """The numbers of aws.toml by name.

    Prices are lists of tiers: up to how many units a month, and the price of a unit.
    """

    quotas: Mapping[str, float]
    assumptions: Mapping[str, float]
    prices: Mapping[str, list[list[float]]]

    @classmethod
    def load(cls, file: Path = AWS) -> Self:
        """Read *file*."""
        document = tomllib.loads(file.read_text(encoding="utf-8"))
        return cls(
            quotas={name: float(entry["value"]) for name, entry in document["quotas"].items()},
            assumptions={name: float(entry["value"]) for name, entry in document["assumptions"].items()},
            prices={name: entry["tiers"] for name, entry in document["prices"].items()},
        )

    def cost(self, price: str, units: float) -> float:
        """Return the dollars of so many *units* a month, each in its tier."""
        dollars, before = 0.0, 0.0
        for end, each in self.prices[price]:
            dollars += max(0.0, min(units, end) - before) * each
            before = end
        return dollars

    @cached_property
    def new_environments(self) -> float:
        """Return how many environments of a function may start in ten seconds."""
        return self.quotas["lambda_environments_per_10_seconds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A cost that grows with a number: *base* and *each* more."""

    base: float
    each: float

    def at(self, number: float) -> float:
        """Return the cost of *number*."""
        return self.base + self.each * number


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTimes:
    """Measured costs in milliseconds, or in bytes.

    All but the script are processor time of one core of the machine in *machine*. The script's time is Valkey's own.
    """

    measured_at: str
    machine: str
    authorizer: float
    authorizer_start: float
    ingest: Line
    ingest_start: float
    script: float
    load: Line
    insert: Line
    message_bytes: Line

    @classmethod
    def load_file(cls, file: Path = SERVICE_TIMES) -> Self:
        """Read *file*, which `python -m scripts.capacity measure` writes."""
        document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        members: dict[str, Any] = {
            name: Line(**value) if isinstance(value, dict) else value for name, value in document.items()
        }
        return cls(**members)
