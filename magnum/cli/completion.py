"""Completion for bash: a script that needs nothing but bash, with all verbs and options written into it."""

import argparse
from collections.abc import Iterator

from magnum.cli.command import Verb

_SCRIPT = """\
# Completion of `magnum` for bash.
_magnum() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= word words= values=
    local verbs='%(verbs)s'
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case " $verbs " in
            *" $word "*) verb=$word; break ;;
        esac
    done
    case $prev in
%(choices)s
        *) values= ;;
    esac
    case $verb in
        '') words='%(options)s'; values=${values:-$verbs} ;;
%(cases)s
    esac
    [[ $cur == -* ]] || words=$values
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _magnum magnum
"""


class _OfVerbs(Verb):
    """Knows what may be typed after each verb."""

    def verbs(self) -> Iterator[tuple[str, Verb, argparse.ArgumentParser]]:
        """Every verb by name, and its parser."""
        for name, entry in sorted(self.app.command_manager):
            verb = entry.load()(self.app, None)
            yield name, verb, verb.get_parser(name)


class Complete(_OfVerbs):
    """Print a script that lets bash complete verbs, options and their values.

    Put its output into ~/.local/share/bash-completion/completions/magnum, or where there is no bash-completion, have
    ~/.bashrc evaluate it.
    """

    example = 'eval "$(magnum complete)"'

    def take_action(self, parsed_args: argparse.Namespace) -> None:  # noqa: ARG002 - cliff's signature
        """Print it."""
        choices: dict[str, list[str]] = {}
        cases = {}
        for name, verb, parser in self.verbs():
            choices |= _option_values(parser)
            operands = "$verbs" if name == "help" else " ".join(verb.operands)
            values = f"; values=${{values:-{operands}}}" if operands else ""
            cases[name] = f"        {name}) words='{' '.join(_options(parser))}'{values} ;;"
        script = _SCRIPT % {
            "verbs": " ".join(cases),
            "options": " ".join(_options(self.app.parser)),
            "choices": "\n".join(f"        {flag}) values='{' '.join(choices[flag])}' ;;" for flag in sorted(choices)),
            "cases": "\n".join(cases.values()),
        }
        self.app.stdout.write(script)


class BashCompletion(_OfVerbs):
    """Print every verb and every option of a verb, for a completion script of your own."""

    example = "magnum bash-completion"

    def take_action(self, parsed_args: argparse.Namespace) -> None:  # noqa: ARG002 - cliff's signature
        """Print them."""
        words: dict[str, None] = {}
        for name, _, parser in self.verbs():
            words |= dict.fromkeys([name, *_options(parser)])
        self.app.stdout.write(" ".join(words) + "\n")


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return [action for action in parser._actions if action.help != argparse.SUPPRESS]


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [flag for action in _actions(parser) for flag in action.option_strings]


def _option_values(parser: argparse.ArgumentParser) -> dict[str, list[str]]:
    """For each option that takes one of several words, these."""
    return {
        flag: list(map(str, action.choices))
        for action in _actions(parser)
        if action.choices
        for flag in action.option_strings
    }
