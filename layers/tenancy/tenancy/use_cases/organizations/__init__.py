"""Organizations: provision, list and change them."""
