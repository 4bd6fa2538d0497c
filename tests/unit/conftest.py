"""Rules need nothing but their arguments; the shared machine may be slow, so no example has a deadline.

The same examples in every run: TENANCY_SEARCH=1 looks for others.
"""

import os

from hypothesis import settings

settings.register_profile("tenancy", deadline=None, max_examples=50, derandomize="TENANCY_SEARCH" not in os.environ)
settings.load_profile("tenancy")
