"""What every request to Trino and to the stores of its results has in common: answers are bounded in size and time, and
errors are told in the SPI's vocabulary."""

import logging
import re
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import trino.exceptions
import urllib3.exceptions

from openlakes_portal.spi import UpstreamAuthFailed, UpstreamError, UpstreamUnavailable

STATUS = re.compile(r"error (\d{3})\b")
READ = 256 * 1024
MOST_BYTES = 160 * 1024 * 1024
"""Of one page or segment; Trino's own are up to 128 MiB where it is told to make them that large."""
PATIENCE = 6
"""An answer may take so many times what one call may be silent."""


def _names_no_address(record: logging.LogRecord) -> bool:
    return "parse headers" not in str(record.msg)


# It would write whole addresses: whoever reads that of a segment may read the segment.
logging.getLogger("urllib3.connection").addFilter(_names_no_address)


class BoundedSession(requests.Session):
    """Reads each answer to its end within a deadline and a size: by itself requests waits for ever on one that drips,
    and keeps whatever comes."""

    def __init__(self, timeout: float, verify: Path | None) -> None:
        super().__init__()
        self._within = PATIENCE * timeout
        self.trust_env = False
        self.verify = str(verify) if verify else True

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """The answer, read."""
        response = super().send(request, **{**options, "stream": True})
        with response:
            body = self._read(response.raw)
        # As `Response.content` keeps it; there is no other way to hand a body over.
        response._content = body
        return response

    def resolve_redirects(self, *args: Any, **more: Any) -> Generator[requests.Response, None, None]:
        """None is followed by itself; requests would also read the body of one that is not, without any bound."""
        yield from ()

    def _read(self, raw: Any) -> bytes:
        deadline, parts, size = time.monotonic() + self._within, [], 0
        try:
            while part := raw.read1(READ, decode_content=True):
                parts.append(part)
                size += len(part)
                if size > MOST_BYTES:
                    raise UpstreamError(f"Trino answered with more than {MOST_BYTES} bytes at once.", upstream="trino")
                if time.monotonic() > deadline:
                    raise UpstreamUnavailable(
                        f"Trino did not end its answer within {self._within:g} s.",
                        upstream="trino",
                        remedy="Try again.",
                    )
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(error) from error
        return b"".join(parts)


@contextmanager
def translated(whose: str = "Trino", no_value: str = "Trino's answer is no JSON.") -> Iterator[None]:
    """The client's errors in the SPI's vocabulary; errors of the statement itself stay what they are."""
    try:
        yield
    except (requests.ConnectionError, requests.Timeout, trino.exceptions.TrinoConnectionError) as error:
        raise UpstreamUnavailable(
            f"{whose} cannot be reached ({type(error).__name__}).", upstream="trino", remedy="See its health."
        ) from error
    except (trino.exceptions.Http502Error, trino.exceptions.Http503Error, trino.exceptions.Http504Error) as error:
        raise UpstreamUnavailable("Trino does not answer now.", upstream="trino", remedy="Try again.") from error
    except trino.exceptions.HttpError as error:
        # Its words hold the answer's body, and with it whatever a proxy or a stack trace shows of the server.
        status = STATUS.match(str(error))
        if status is not None and status[1] in ("401", "403"):
            raise UpstreamAuthFailed("Trino refused the sign-in of the portal for you.", upstream="trino") from error
        told = f"Trino answered {status[1]}." if status is not None else "Trino answered wrongly."
        raise UpstreamError(told, upstream="trino", remedy="See Trino's own log.") from error
    except ValueError as error:
        raise UpstreamError(no_value, upstream="trino") from error
