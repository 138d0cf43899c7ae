"""The rules that the others are made of.

Keystone's personas hold: a reader of a project looks, a member or manager changes, an admin does both. Any other role
means nothing here: many are given to machines, such as the one with which servers speak to Heat. A cloud that gives its
users roles of its own names these in the rules ``reader`` and ``member``.
The tenant's predicate in the queries stands beside these rules: they never open another project's objects.
"""

from oslo_policy import policy

_OF_PROJECT = "project_id:%(project_id)s"

ADMIN = "rule:admin"
READER = "rule:reader"
READ = "rule:project_reader"
WRITE = "rule:project_writer"

RULES = [
    policy.RuleDefault("admin", "role:admin", description="An operator of the cloud."),
    policy.RuleDefault("member", "role:member or role:manager", description="Roles of those who change things."),
    policy.RuleDefault(
        "reader",
        "role:reader or rule:member or rule:admin",
        description="Roles of those who look at things. Whoever has none of them is refused everything.",
    ),
    policy.RuleDefault(
        "project_reader",
        f"rule:admin or (rule:reader and {_OF_PROJECT})",
        description="Who may look at a project's objects.",
    ),
    policy.RuleDefault(
        "project_writer",
        f"rule:admin or (rule:member and {_OF_PROJECT})",
        description="Who may change a project's objects.",
    ),
]
