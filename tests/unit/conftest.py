"""Settings of Hypothesis.

No example has a deadline, because the machine may be slow. Each run has the same examples. With TENANCY_SEARCH=1 a run
looks for new ones.
"""

import os

from hypothesis import settings

settings.register_profile("tenancy", deadline=None, max_examples=50, derandomize="TENANCY_SEARCH" not in os.environ)
settings.load_profile("tenancy")
