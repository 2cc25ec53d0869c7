"""The rows of a result in their order, however they come: in the page itself, or as segments, of which some are fetched
and decoded ahead, side by side, while pages are followed and rows written."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait

import pyarrow as pa
from trino.client import TrinoStatus

from openlakes_portal.spi import UpstreamError
from openlakes_portal_trino.coordinator.connection import rows_of
from openlakes_portal_trino.coordinator.segments import Segment, SegmentStore, segments_of
from openlakes_portal_trino.coordinator.writing import ResultWriter

AHEAD = 3
"""Segments that are fetched at the same time, and held at most: one is up to 16 MiB by Trino's defaults."""
LOOK = 0.1


class PageReader:
    """Takes pages and gives batches. `seen` counts the rows that Trino has announced, whether they were kept or not."""

    def __init__(self, writer: ResultWriter, store: SegmentStore, stopping: Callable[[], bool]) -> None:
        self._writer = writer
        self._store = store
        self._stopping = stopping
        self._fetching = ThreadPoolExecutor(AHEAD, thread_name_prefix="trino-segments")
        self._acknowledging = ThreadPoolExecutor(1, thread_name_prefix="trino-acknowledge")
        self._waiting: deque[tuple[Segment, Future[pa.RecordBatch]]] = deque()
        self._used = self._closed = False
        self.seen = 0

    def batches(self, status: TrinoStatus) -> Iterator[pa.RecordBatch]:
        """What is there now that this page, whose columns the writer knows, has come; after the last page everything.
        Ends early where the statement is being stopped. Raises `UpstreamError`, `UpstreamUnavailable`, and `ValueError`
        for what is not as announced."""
        if isinstance(status.rows, dict):
            for segment in self._announced(segments_of(status.rows)):
                yield from self._given(AHEAD - 1)
                if self._stopping():
                    return
                self._used = True
                self._waiting.append((segment, self._fetching.submit(self._read, segment)))
        elif rows := rows_of(status):
            yield from self._given(0)
            if self._stopping():
                return
            self.seen += len(rows)
            yield self._writer.of_rows(rows)
        if status.next_uri is None:
            yield from self._given(0)

    def close(self) -> None:
        """Fetch nothing more. What was read, and what will not be, Trino is told, so that it can delete it."""
        if self._closed:
            return
        self._closed = True
        self._store.give_up()
        for segment, reading in self._waiting:
            reading.cancel()
            self._acknowledging.submit(self._store.acknowledge, segment)
        if self._used:
            self._acknowledging.submit(self._store.close)
        else:
            self._store.close()
        self._fetching.shutdown(wait=False)
        self._acknowledging.shutdown(wait=False)

    def _announced(self, segments: list[Segment]) -> list[Segment]:
        """The same, each beginning where the one before it ends."""
        for segment in segments:
            if segment.offset != self.seen:
                raise UpstreamError(
                    f"Trino announced row {segment.offset} of the result where row {self.seen} comes next.",
                    upstream="trino",
                )
            self.seen += segment.rows
        return segments

    def _read(self, segment: Segment) -> pa.RecordBatch:
        return self._writer.of_segment(self._store.read(segment), segment.rows)

    def _given(self, at_most: int) -> Iterator[pa.RecordBatch]:
        """The oldest batches, until so many are on their way."""
        while len(self._waiting) > at_most:
            segment, reading = self._waiting[0]
            while not wait((reading,), LOOK).done:
                if self._stopping():
                    return
            self._waiting.popleft()
            batch = reading.result()
            if segment.inline is None:
                self._acknowledging.submit(self._store.acknowledge, segment)
            yield batch
