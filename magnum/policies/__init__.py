"""Who may do what: the rules, with their defaults, as an operator may override them in policy.yaml."""

from oslo_policy import policy

from magnum.policies import base, resources

__all__ = ["list_rules"]


def list_rules() -> list[policy.RuleDefault]:
    """Every rule; also what oslopolicy-sample-generator prints."""
    return [*base.RULES, *resources.RULES]
