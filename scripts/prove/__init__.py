"""The proof that organizations are apart, and that the proof notices when they are not (docs/isolation.md)."""
