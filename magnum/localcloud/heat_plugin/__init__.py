"""A small Nova, Neutron, Cinder and Octavia for Heat, made of Docker containers and bridges.

Heat loads every module of this directory through its `plugin_dirs` option, inside its own virtual environment:
nothing here imports the rest of Magnum. A server is a container that boots systemd and runs cloud-init on the user
data that Nova would give it, a subnet is a Docker bridge, a volume a loop device, a load balancer an haproxy
container. The types keep their real names and schemas, because each is a subclass of Heat's own, and so the
production templates run as they are.

The modules named `heat_*` hold Heat's side and are thin; the others import neither Heat nor need it, and can be
tested anywhere. Which cloud they serve stands in the file that the environment variable MAGNUM_LOCAL_CLOUD names.

Modules here import one another as `from . import name`, never `from .name import thing`. Heat's loader executes a
module and only then makes it an attribute of its package, without registering it in sys.modules: the first form finds
that module, the second would make a second copy of it, with exception classes and caches of its own.
"""
