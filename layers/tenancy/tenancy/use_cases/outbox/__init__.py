"""The outbox: side effects that a committed change still has to cause."""
