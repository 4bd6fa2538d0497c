"""The tenancy core: the package that all functions share.

Imports run one way: functions -> gateway -> use_cases -> stores -> rules -> errors. Settings and wiring stand beside
these layers.
"""

import gc
from typing import Final

# A cold start makes many objects and no garbage, and reference counts free nearly all objects of a request. With
# Python's threshold of 2,000, collections take a twentieth of a cold start (docs/performance.md, "Cold starts").
OBJECTS_BEFORE_COLLECTION: Final = 50_000

gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
