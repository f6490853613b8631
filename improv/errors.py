"""The exceptions a user sees: what is wrong and what to do, in one line."""


class ImprovError(Exception):
    """A foreseeable failure. Its text is one line that says what is wrong and what to do about it."""


class UsageError(ImprovError):
    """What was asked for on the command line can never be done. The program then ends with status 2."""
