"""Configuration files of OpenStack services, from plain values."""

from collections.abc import Mapping, Sequence

Value = str | int | bool | Sequence[str]
Sections = Mapping[str, Mapping[str, Value]]


def render(sections: Sections) -> str:
    """The text of an ini file as oslo.config reads it; a sequence becomes one line for each of its values."""
    lines: list[str] = []
    for section, options in sections.items():
        lines.append(f"[{section}]")
        for name, value in options.items():
            values = [value] if isinstance(value, str | int) else value
            lines.extend(f"{name} = {_text(item)}" for item in values)
        lines.append("")
    return "\n".join(lines)


def _text(value: str | int) -> str:
    # oslo.config substitutes $name; a dollar that means itself is doubled.
    return str(value).lower() if isinstance(value, bool) else str(value).replace("$", "$$")
