"""What can go wrong through the user's input, each with a way out."""


class ParetoError(Exception):
    """A mistake in a test, an option or a file, told in one message with the way out."""


class BaselineError(ParetoError):
    """A baseline file that cannot be read or written; the message names file, place and fix."""


class PlaceError(BaselineError):
    """A folder that cannot be the baseline's, so that another one has to be chosen."""
