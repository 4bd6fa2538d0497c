"""The figures of docs/performance.md, one module each, with a function `measure`."""

import pkgutil
from typing import Final

NAMES: Final = tuple(module.name for module in pkgutil.iter_modules(__path__))
