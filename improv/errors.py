"""The one exception a user sees: what is wrong and what to do, in one line."""


class ImprovError(Exception):
    """A foreseeable failure. Its text is one line that says what is wrong and what to do about it."""
