"""The tenancy core: what every function of the bundle shares.

Imports run one way: functions -> gateway, settings, tokens -> use_cases -> stores -> rules -> errors.
"""
