"""Attribution events: what a client may send, how it is checked, and the rows that go into the queue."""
