"""Stores: the only modules that import a driver.

One file per topic, one statement per function.

The connection is the first parameter of every function. A store talks to one engine.
"""
