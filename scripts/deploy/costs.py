"""The resources of a deploy, and their costs on AWS in a month before any traffic."""

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from scripts.deploy.conditions import Decisions
from scripts.template import read_template

PRICES: Final = Path(__file__).with_name("prices.toml")
STACK: Final = "AWS::CloudFormation::Stack"
HOUR: Final = "hour"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A resource that a deploy makes, in the template of *decisions*."""

    kind: str
    properties: Mapping[str, Any]
    decisions: Decisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """*number* units of a kind, and their dollars in a month."""

    name: str
    number: int
    dollars: float


class Prices:
    """The file of prices."""

    def __init__(self, file: Path = PRICES) -> None:
        """Read *file*."""
        document = tomllib.loads(file.read_text(encoding="utf-8"))
        self.date: date = document["date"]
        self.region: str = document["region"]
        self.standing: dict[str, dict[str, Any]] = document["standing"]
        self.by_use: dict[str, str] = document["by_use"]
        self.free: dict[str, str] = document["free"]
        self._hours: float = document["hours_a_month"]

    def knows(self, kind: str) -> bool:
        """Return whether *kind* has a price, or a reason for none."""
        return any(kind in part for part in (self.standing, self.by_use, self.free))

    def units(self, resource: Resource) -> int:
        """Return the number of units of *resource* that are charged while it stands."""
        price = self.standing.get(resource.kind)
        if price is None or any(
            resource.properties.get(name) != value for name, value in price.get("where", {}).items()
        ):
            return 0
        return len(_chosen(resource, price["each_of"])) or 1 if "each_of" in price else 1

    def unit_dollars(self, resource: Resource) -> float:
        """Return the dollars of one unit of *resource* in a month."""
        price = self.standing[resource.kind]
        times = price.get("times", 1)
        number = float(resource.decisions.parameters[times]) if isinstance(times, str) else float(times)
        return float(price["dollars"]) * number * (self._hours if price["unit"] == HOUR else 1)


def list_resources(root: Path, template: Mapping[str, Any], given: Mapping[str, str]) -> Iterator[Resource]:
    """Yield the resources that the *given* parameters make of a transformed *template*, and those of nested stacks.

    Templates of nested stacks are files below *root*.
    """
    decisions = Decisions.of(template, given)
    for resource in template["Resources"].values():
        if not decisions.is_made(resource):
            continue
        properties = resource.get("Properties", {})
        yield Resource(kind=resource["Type"], properties=properties, decisions=decisions)
        if resource["Type"] == STACK:
            values = {name: decisions.text(value) for name, value in properties.get("Parameters", {}).items()}
            yield from list_resources(root, read_template(root / properties["TemplateURL"]), values)


def cost_month(resources: list[Resource], prices: Prices) -> list[Cost]:
    """Return the standing costs of *resources* by kind, the dearest first."""
    numbers: Counter[str] = Counter()
    dollars: Counter[str] = Counter()
    for resource in resources:
        if units := prices.units(resource):
            name = prices.standing[resource.kind]["name"]
            numbers[name] += units
            dollars[name] += units * prices.unit_dollars(resource)  # type: ignore[assignment] # counts dollars
    costs = [Cost(name=name, number=number, dollars=dollars[name]) for name, number in numbers.items()]
    return sorted(costs, key=lambda cost: -cost.dollars)


def _chosen(resource: Resource, name: str) -> list[Any]:
    """Return the list property *name*, or an empty list if the resource has none."""
    found = resource.properties.get(name, [])
    return found if isinstance(found, list) else []
