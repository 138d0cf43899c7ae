"""How the whole numbers within bounds are written, as a regular expression.

JSON Schema has bounds for numbers and none for strings of digits, which clients send just as well.
"""


def numerals(lowest: int, highest: int) -> str:
    """The pattern of the numerals from the lowest to the highest, without signs or zeros that need not be."""
    if lowest < 0:
        negative = f"-({numerals(max(-highest, 1), -lowest)})"
        return f"{negative}|{numerals(0, highest)}" if highest >= 0 else negative
    forms: list[str] = []
    for length in range(len(str(lowest)), len(str(highest)) + 1):
        least = 10 ** (length - 1) if length > 1 else 0
        forms += _between(str(max(lowest, least)), str(min(highest, 10**length - 1)))
    return "|".join(forms)


def _between(lowest: str, highest: str) -> list[str]:
    """Patterns of the numerals between two that have as many digits."""
    if not lowest:
        return [""]
    rest = len(lowest) - 1
    if lowest[0] == highest[0]:
        return [lowest[0] + form for form in _between(lowest[1:], highest[1:])]
    first, last = int(lowest[0]), int(highest[0])
    forms: list[str] = []
    if lowest[1:] != "0" * rest:
        forms += [f"{first}{form}" for form in _between(lowest[1:], "9" * rest)]
        first += 1
    if highest[1:] != "9" * rest:
        forms += [f"{last}{form}" for form in _between("0" * rest, highest[1:])]
        last -= 1
    if first <= last:
        forms.append(f"[{first}-{last}]" + (f"[0-9]{{{rest}}}" if rest > 1 else "[0-9]" * rest))
    return forms
