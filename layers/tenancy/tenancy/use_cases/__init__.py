"""What the product does: each module does one thing, owns its transaction and the order of its effects."""
