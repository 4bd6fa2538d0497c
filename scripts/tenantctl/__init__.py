"""The operator's command line: ``python -m scripts.tenantctl``. It speaks the HTTP API and nothing else."""
