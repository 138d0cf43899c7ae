"""Keystone on waitress. Runs in Keystone's own environment: ``python -P keystone_process.py ADDRESS PORT``.

Keystone reads its options from the arguments of the process it finds itself in, so they are taken away before it is
imported; which file it reads is said by OS_KEYSTONE_CONFIG_DIR and OS_KEYSTONE_CONFIG_FILES.
"""

import sys

import waitress

_THREADS = 16


def main(address: str, port: int) -> None:
    """Serve until a signal ends the process: Keystone keeps everything in its database."""
    sys.argv = ["keystone"]
    from keystone.wsgi.api import application

    waitress.serve(application, host=address, port=port, threads=_THREADS, ident=None)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
