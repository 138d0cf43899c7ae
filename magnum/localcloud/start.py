"""What the command `magnum-local` runs: the command line, and a Ctrl-C that comes before that is there."""

import sys


def main() -> int:
    """Entry point."""
    try:
        from magnum.localcloud import cli  # takes most of a second
    except KeyboardInterrupt:
        print("Interrupted. Nothing was changed.", file=sys.stderr)
        return 130
    return cli.main()
