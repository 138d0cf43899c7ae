"""Magnum under fire: real processes that are killed, frozen and cut off while tenants go on making bays.

`python -m tests.chaos` runs it, `make chaos` for ten minutes. docs/chaos.md says what is done and what has to hold.
"""
