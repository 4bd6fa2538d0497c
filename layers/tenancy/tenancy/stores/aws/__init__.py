"""AWS services: queues, secrets, keys, files, mail."""
