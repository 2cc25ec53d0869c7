"""How the embedded engine says no: an exception that carries the `QueryError` for the person."""

from openlakes_portal.spi import QueryError


class Refused(Exception):
    """A statement that is not run, or failed while it ran; `error` says why."""

    def __init__(self, error: QueryError) -> None:
        super().__init__(error.message)
        self.error = error
