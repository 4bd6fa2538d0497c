"""The error of moves. Its message tells the operator the cause and the next step."""


class MoveError(Exception):
    """A move was refused, or it stopped. No row is lost. The next run completes or undoes it."""
