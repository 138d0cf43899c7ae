"""Options of the bays' certificates and of what is signed for nodes."""

from oslo_config import cfg

GROUP = "certificates"

OPTS = [
    cfg.MultiStrOpt(
        "encryption_key",
        secret=True,
        default=[],
        help="Fernet key (32 bytes, URL-safe base64) with which private keys are stored; the first encrypts, all "
        "decrypt, so that keys can be rotated. 'magnum-db-manage generate-key' prints a new one.",
    ),
    cfg.IntOpt("term_of_validity", default=1825, min=1, help="Days a certificate is valid."),
    cfg.BoolOpt("allow_ca", default=False, help="Sign requests for certificates of an authority."),
]
