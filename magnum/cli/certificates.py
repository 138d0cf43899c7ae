"""A bay's authority: its certificate, and certificates signed by it."""

import argparse

from magnum.cli.command import Verb
from magnum.cli.errors import NotReachedError
from magnum.cli.text import clean
from magnum.cli.values import read_text


class CaShow(Verb):
    """Print the certificate of a bay's authority."""

    example = "magnum ca-show --bay web > ca.pem"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which bay."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--bay", required=True, metavar="BAY", help="name or uuid of the bay")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Ask for it."""
        self.app.stdout.write(pem_of(self.client.get("certificates", parsed_args.bay)))


class CaSign(Verb):
    """Have a certificate request signed by a bay's authority, and print the certificate."""

    example = "magnum ca-sign --bay web --csr admin.csr > admin.pem"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Which bay and what request."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--bay", required=True, metavar="BAY", help="name or uuid of the bay")
        parser.add_argument("--csr", required=True, metavar="FILE", help="file with the request, PEM; - is the input")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Ask for it."""
        body = {"bay_uuid": parsed_args.bay, "csr": read_text(parsed_args.csr)}
        self.app.stdout.write(pem_of(self.client.post("certificates", body=body)))


def pem_of(answer: dict[str, object]) -> str:
    """The certificate of an answer, ending in a line feed."""
    pem = answer.get("pem")
    if not isinstance(pem, str):
        raise NotReachedError("The answer has no certificate. Check the endpoint's URL.")
    return clean(pem).rstrip("\n") + "\n"
