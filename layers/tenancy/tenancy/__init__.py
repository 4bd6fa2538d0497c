"""The tenancy core: the package that all functions share.

Imports run one way: functions -> gateway -> use_cases -> stores -> rules -> errors. Settings and wiring stand beside
these layers.
"""
