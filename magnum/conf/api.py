"""Options of the REST API."""

from oslo_config import cfg

GROUP = "api"

OPTS = [
    cfg.HostAddressOpt("host", default="127.0.0.1", help="Address to listen on."),
    cfg.PortOpt("port", default=9511, help="Port to listen on."),
    cfg.IntOpt("workers", default=2, min=1, help="Processes of the API."),
    cfg.IntOpt("threads", default=16, min=1, help="Threads of each process: requests served at once."),
    cfg.StrOpt("api_paste_config", default="api-paste.ini", help="File with the WSGI pipeline."),
    cfg.IntOpt("max_limit", default=1000, min=1, help="Most objects in one page of a list; also the default."),
    cfg.IntOpt("max_body_size", default=1048576, min=1024, help="Most bytes in the body of a request."),
    cfg.IntOpt("max_manifest_size", default=524288, min=1, help="Most bytes in a manifest, sent or fetched."),
    cfg.BoolOpt(
        "manifest_url_allow_private",
        default=False,
        help="Let manifest_url name addresses of private, loopback and link-local networks. Off, since the API "
        "would fetch for a tenant what only the operator's network should reach.",
    ),
]
