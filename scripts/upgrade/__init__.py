"""The upgrade of a stack from the release before, with the data of its organizations."""
