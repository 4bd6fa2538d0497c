"""Use cases: each module does one thing that the product does.

It owns its transactions and the order of its side effects.
"""
