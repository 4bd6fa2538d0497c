"""Attribution events: parsing, validation, and the rows that go into the queue."""
