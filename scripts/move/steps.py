"""The numbered steps of a move, as its progress names them."""

from enum import Enum


class MoveStep(Enum):
    """A step. If a run is killed before or in it, the next run completes the move, or begins it anew."""

    INCOMING = 1, "Mark the organization as incoming in the target"
    PUBLISH = 2, "Publish its rows in the source"
    SLOT = 3, "Keep the changes of the source from now on"
    COPY = 4, "Copy its rows"
    CATCH_UP = 5, "Apply the changes since then"
    FENCE = 6, "Close the fence: transactions of the organization wait"
    COMPARE = 7, "Compare the rows of both sides"
    SEQUENCES = 8, "Advance the sequences of the target"
    END_REPLICATION = 9, "End the replication"
    COMMIT = 10, "Commit the move"
    OPEN = 11, "Open the target"
    DIRECTORY = 12, "Write the directory"
    DELETE = 13, "Delete the rows of the source"
    UNPUBLISH = 14, "Drop the publication"
    DONE = 15, "The move is complete"

    @property
    def line(self) -> str:
        """The line of progress."""
        number, text = self.value
        return f"{number:2}. {text}"
