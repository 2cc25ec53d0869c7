"""Results in an object store that speaks S3, for more than one replica: what one wrote, each can read.

An engine writes a local file; `keep` uploads it; `find` brings it back into a local cache where this replica does not
have it. Every call is bounded by the client's own timeouts (a connection, and the time without a byte); the service
bounds the whole. pyarrow's client is imported on first use.
"""

import contextlib
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cachetools import LRUCache

from openlakes_portal.spi import UpstreamUnavailable
from openlakes_portal_trino.results.store import FileResultStore, Kept, expired
from openlakes_portal_trino.settings import ObjectStoreSettings

if TYPE_CHECKING:
    from pyarrow.fs import S3FileSystem

PIECE = 8 * 1024 * 1024
LISTED_FOR = 15.0
"""Seconds for which a list of what the store holds is believed, and its failure too."""

TENDED_EVERY = 60.0
ATTEMPTS = 2
SETTINGS = "plugins.trino.results.s3"
CREDENTIALS = ("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "INVALID_CLIENT_TOKEN_ID")


class ObjectResultStore:
    """Objects `<bucket>/<prefix><id>.arrow`, and a folder of local files. Implements `ResultStore`.

    `keep`, `find`, `expire` and `check` raise `UpstreamUnavailable` where the store does not do what it is asked.
    """

    def __init__(self, settings: ObjectStoreSettings, folder: Path) -> None:
        self._settings = settings
        self._local = FileResultStore(folder)
        self._folder = folder
        self._lock = threading.Lock()
        self._held: frozenset[str] | None = None
        self._listed = self._tended = float("-inf")
        self._gone: LRUCache[str, bool] = LRUCache(10_000)

    def place(self, id: str) -> Path:
        """The local file that an engine is to write."""
        return self._local.place(id)

    def keep(self, id: str) -> None:
        """Upload the file; the local one stays as a cache."""
        source = self._local.place(id)
        with self._words():
            try:
                with source.open("rb") as file, self._files.open_output_stream(self._key(id)) as stream:
                    shutil.copyfileobj(file, stream, PIECE)
            except Exception:
                with contextlib.suppress(OSError):  # half a result must not be taken for one
                    self._files.delete_file(self._key(id))
                raise

    def find(self, id: str) -> Path | None:
        """The result as a local file, brought here first where it is not; None where it is gone."""
        here = self._local.find(id)
        if here is not None:
            return here
        target = self._local.place(id)
        part = target.with_name(f".{id}.{secrets.token_hex(4)}.part")
        with self._words():
            try:
                with self._files.open_input_stream(self._key(id)) as stream, part.open("wb") as file:
                    shutil.copyfileobj(stream, file, PIECE)
                part.replace(target)
            except FileNotFoundError:
                return None
            finally:
                part.unlink(missing_ok=True)
        return target

    def holds(self, id: str) -> bool:
        """Whether the result can be read. Where the store does not answer, it is not said to be lost."""
        if self._local.holds(id):
            return True
        if id in self._gone:
            return False
        held = self._known()
        if held is None or id in held:
            return True
        with contextlib.suppress(OSError):
            if self._files.get_file_info(self._key(id)).is_file:
                return True
            self._gone[id] = True  # a result is kept before its query is finished: it does not come later
            return False
        return True

    def discard(self, id: str) -> None:
        """Forget the local file."""
        self._local.discard(id)

    def expire(self, keep_seconds: float, keep_bytes: int, in_use: frozenset[str]) -> None:
        """Remove old and too many results, here and now and then in the store; every replica does."""
        self._local.expire(keep_seconds, keep_bytes, in_use)
        if time.monotonic() - self._tended < TENDED_EVERY:
            return
        self._tended = time.monotonic()
        with self._words():
            for id in expired(self._objects(), keep_seconds, keep_bytes, in_use):
                with contextlib.suppress(FileNotFoundError):  # another replica was quicker
                    self._files.delete_file(self._key(id))

    def check(self) -> None:
        """Whether the store lets this portal in and has the bucket."""
        with self._words():
            self._objects()

    @cached_property
    def _files(self) -> "S3FileSystem":
        from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem

        settings = self._settings
        endpoint = settings.endpoint
        keys = {} if settings.access_key is None else {"access_key": settings.access_key.get_secret_value()}
        secret = {} if settings.secret_key is None else {"secret_key": settings.secret_key.get_secret_value()}
        authority = {} if settings.verify is None else {"tls_ca_file_path": str(settings.verify)}
        place = {} if endpoint is None else {"endpoint_override": str(endpoint).partition("://")[2].rstrip("/")}
        return S3FileSystem(
            region=settings.region,
            scheme="https" if endpoint is None else endpoint.scheme,
            connect_timeout=settings.timeout,
            request_timeout=settings.timeout,
            retry_strategy=AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
            **keys,
            **secret,
            **authority,
            **place,
        )

    def _key(self, id: str) -> str:
        return f"{self._settings.bucket}/{self._settings.prefix}{id}.arrow"

    def _objects(self) -> list[Kept]:
        from pyarrow.fs import FileSelector

        folder = f"{self._settings.bucket}/{self._settings.prefix}".rstrip("/")
        if not self._files.get_file_info(self._settings.bucket).type:  # of no bucket, a list would be an empty one
            raise FileNotFoundError(self._settings.bucket)
        found = self._files.get_file_info(FileSelector(folder, allow_not_found=True))
        return [
            Kept(info.base_name.removesuffix(".arrow"), info.size, info.mtime.timestamp())
            for info in found
            if info.is_file and info.base_name.endswith(".arrow")
        ]

    def _known(self) -> frozenset[str] | None:
        """Ids that the store held not long ago; None where it did not say."""
        with self._lock:
            if time.monotonic() - self._listed >= LISTED_FOR:
                self._listed = time.monotonic()
                try:
                    self._held = frozenset(kept.id for kept in self._objects())
                except OSError:
                    self._held = None
            return self._held

    @contextlib.contextmanager
    def _words(self) -> Iterator[None]:
        """Its client's errors in words: what it says names keys and addresses, and is not for people."""
        try:
            yield
        except FileNotFoundError as error:
            raise UpstreamUnavailable(
                f"The object store of results has no bucket {self._settings.bucket}.",
                remedy=f"Make the bucket, or correct {SETTINGS}.bucket.",
            ) from error
        except OSError as error:
            raise self._told(str(error)) from error

    def _told(self, words: str) -> UpstreamUnavailable:
        if any(code in words for code in CREDENTIALS) or "HTTP status 403" in words:
            return UpstreamUnavailable(
                "The object store of results refuses the portal's credentials.",
                remedy=f"Check {SETTINGS}.access_key and secret_key, and what they may do in the bucket.",
            )
        if "NO_SUCH_BUCKET" in words:
            return UpstreamUnavailable(
                f"The object store of results has no bucket {self._settings.bucket}.",
                remedy=f"Make the bucket, or correct {SETTINGS}.bucket.",
            )
        if "NETWORK_CONNECTION" in words:
            return UpstreamUnavailable(
                "The object store of results does not answer.",
                remedy=f"Check that it runs, and {SETTINGS}.endpoint and verify.",
            )
        return UpstreamUnavailable(
            "The object store of results failed.", remedy=f"Look into its log; {SETTINGS} says where it is."
        )
