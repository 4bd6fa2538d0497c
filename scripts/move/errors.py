"""Why a move was refused or stopped, in one sentence for the operator."""


class MoveError(Exception):
    """A move was refused, or it stopped. Its organization is in the source, and no row is lost."""
