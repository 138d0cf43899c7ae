"""What can go wrong, in words for the tenant.

Heat shows the name of the class and the message in a stack's status_reason, so both say what a person needs. None of
them is one that Heat takes for passing (such as ResourceInError): what fails here fails at once, without retries.
"""


class LocalCloudError(Exception):
    """The local cloud could not do what was asked."""


class NotFound(LocalCloudError):
    """A thing named by the template does not exist in this project."""


class Conflict(LocalCloudError):
    """An address or a thing is already in use."""


class BadRequest(LocalCloudError):
    """A property has a value that cannot be had here."""


class ServerFailed(LocalCloudError):
    """A server stopped while it was being built."""
