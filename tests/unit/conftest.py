"""Rules need nothing but their arguments; the shared machine may be slow, so no example has a deadline."""

from hypothesis import settings

settings.register_profile("tenancy", deadline=None, max_examples=50)
settings.load_profile("tenancy")
