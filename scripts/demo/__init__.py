"""The demo: the main job on the embedded stack, and the end of an organization."""
