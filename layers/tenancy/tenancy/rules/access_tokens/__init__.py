"""The access tokens of members, and the keys that sign and verify them."""
