"""Text that others have written, such as a tenant's API server: what of it can be stored and shown."""


def printable(text: str) -> str:
    """The text with a blank for each character that no database takes or that a terminal would act on.

    That is NUL, halves of surrogate pairs, ends of lines and all other control characters.
    """
    return text if text.isprintable() else "".join(each if each.isprintable() else " " for each in text)
