"""The packages whose modules take most of an import, read from reports of `python -X importtime`."""

import re
import sys
from collections import Counter
from collections.abc import Iterable
from typing import Final

LINE: Final = re.compile(r"import time: +([0-9]+) \| +[0-9]+ \| +(\S+)")  # own microseconds, all, name
STANDARD_LIBRARY: Final = "standard library"
LISTED: Final = 7


def describe_packages(reports: Iterable[str]) -> str:
    """Return the packages with the largest shares of an import, in percent.

    The time of a module is its own, without that of the modules that it imports. It is the shortest one of the
    *reports*, which are of the same import, because other processes lengthen some of them.
    """
    times: Counter[str] = Counter()
    for module, microseconds in _shortest_times(reports).items():
        package = module.partition(".")[0]
        times[STANDARD_LIBRARY if package in sys.stdlib_module_names else package] += microseconds
    total = times.total()
    return ", ".join(f"{name} {microseconds / total:.0%}" for name, microseconds in times.most_common(LISTED))


def _shortest_times(reports: Iterable[str]) -> dict[str, int]:
    shortest: dict[str, int] = {}
    for report in reports:
        for microseconds, module in LINE.findall(report):
            shortest[module] = min(int(microseconds), shortest.get(module, sys.maxsize))
    return shortest
