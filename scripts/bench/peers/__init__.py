"""Peers of the figures: a plain TypeScript server of the same data model, and limiters of other authors."""
