"""Dead letters: drain the queues, read, send back and expire them."""
