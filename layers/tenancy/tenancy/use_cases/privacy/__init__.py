"""Privacy: export an organization's data, and erase data subjects."""
