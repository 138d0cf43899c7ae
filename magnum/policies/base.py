"""The rules that the others are made of.

Keystone's personas hold: a reader of a project looks, a member changes, an admin does both. A cloud that has none of
these roles in use gives its users some role of its own; such a user owns all of its project, as it always was here.
The tenant's predicate in the queries stands beside these rules: they never open another project's objects.
"""

from oslo_policy import policy

_OF_PROJECT = "project_id:%(project_id)s"

ADMIN = "rule:admin"
READ = "rule:project_reader"
WRITE = "rule:project_writer"

RULES = [
    policy.RuleDefault("admin", "role:admin", description="An operator of the cloud."),
    policy.RuleDefault(
        "project_reader",
        f"rule:admin or {_OF_PROJECT}",
        description="Who may look at a project's objects: everybody with a role in it.",
    ),
    policy.RuleDefault(
        "project_writer",
        f"rule:admin or ((role:member or not role:reader) and {_OF_PROJECT})",
        description="Who may change a project's objects: its members, and whoever has a role in it that is not reader.",
    ),
]
