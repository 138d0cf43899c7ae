"""Has Heat's own engine judge stacks with the types it has by itself: no plugin, no environment, no other services.

Run by the Python of Heat's virtual environment. Reads a list of {"template", "files", "parameters", "environment"} as
JSON from standard input and prints the list of what is wrong with each, "" if all is well. Every resource, nested ones
too, is held to the schema of its type. What only the other services know (is there such a network?) is taken as given.
"""

import json
import sys

from heat.common import context, exception, messaging, template_format
from heat.engine import constraints, environment, resource, resources, stack, template, translation
from heat.engine.resources.openstack.nova import server
from oslo_config import cfg


def without_services() -> None:
    """Answer for the services that are not there."""
    set_rules = translation.Translation.set_rules

    def unresolved(self, rules, client_resolve=True, ignore_resolve_error=False):
        set_rules(self, rules, client_resolve=False, ignore_resolve_error=ignore_resolve_error)

    translation.Translation.set_rules = unresolved
    resource.Resource.is_service_available = classmethod(lambda cls, ctx: (True, None))
    constraints.CustomConstraint.validate = lambda *args, **kwargs: None
    server.Server.validate = resource.Resource.validate  # which would ask Nova for its limits


def judge(asked):
    """Return what Heat finds wrong with one stack."""
    judged = template.Template(
        template_format.parse(asked["template"]),
        files=asked["files"],
        env=environment.Environment({"parameters": asked["parameters"], **asked["environment"]}),
    )
    asking = context.RequestContext(user_id="user", project_id="project", is_admin=False)
    try:
        stack.Stack(asking, "judged", judged).validate()
    except exception.HeatException as error:
        return str(error)
    return ""


def main() -> None:
    asked = json.load(sys.stdin)
    cfg.CONF([], project="heat", default_config_files=[])
    cfg.CONF.set_override("plugin_dirs", [])
    cfg.CONF.set_override("environment_dir", "/nonexistent")
    messaging.setup("fake://")
    resources.initialise()
    without_services()
    json.dump([judge(each) for each in asked], sys.stdout)


if __name__ == "__main__":
    main()
