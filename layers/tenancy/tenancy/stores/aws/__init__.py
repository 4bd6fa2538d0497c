"""Stores on AWS services: queues, secrets, keys, files and mail."""
