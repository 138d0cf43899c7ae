"""The `magnum` command for people.

What decides the shape of this package is its start-up time: a command line is started anew for every call, and most
calls are one small list. So the verbs stand in a table (`registry`) that names their modules without importing them, no
entry points are scanned, and what only one verb needs (cryptography, YAML) is imported by that verb.

Verbs of the resources are generic (`verbs`); what differs between a bay and a pod is declared in `resources`.
"""
