"""Host names in settings. Pure."""


def is_host(text: str) -> bool:
    """Whether it can be looked up: for an empty or overlong part of a name, resolvers raise UnicodeError."""
    try:
        text.encode("idna")
    except UnicodeError:
        return False
    return bool(text)
