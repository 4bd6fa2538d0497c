"""Programs for developers, which Lambda never needs."""
