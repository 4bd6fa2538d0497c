"""The packages whose modules take most of an import, read from the report of `python -X importtime`."""

import re
import sys
from collections import Counter
from typing import Final

LINE: Final = re.compile(r"import time: +([0-9]+) \| +[0-9]+ \| +(\S+)")  # own microseconds, all, name
STANDARD_LIBRARY: Final = "standard library"
LISTED: Final = 7


def describe_packages(report: str) -> str:
    """Return the packages of the *report* with the largest shares of its time, in percent.

    The time of a module is its own, without that of the modules that it imports.
    """
    times = _times_by_package(report)
    total = times.total()
    return ", ".join(f"{name} {microseconds / total:.0%}" for name, microseconds in times.most_common(LISTED))


def _times_by_package(report: str) -> Counter[str]:
    times: Counter[str] = Counter()
    for microseconds, module in LINE.findall(report):
        package = module.partition(".")[0]
        times[STANDARD_LIBRARY if package in sys.stdlib_module_names else package] += int(microseconds)
    return times
