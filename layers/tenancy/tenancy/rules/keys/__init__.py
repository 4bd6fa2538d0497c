"""The keys of organizations and operators: API keys, platform keys and their rotation."""
