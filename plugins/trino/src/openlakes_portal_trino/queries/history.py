"""Looking through one person's history, page by page."""

from openlakes_portal.spi import Document, Documents, Listing

BATCH = 500
MOST_READ = 2_000
"""Entries that one page of a search looks through; a search for what is rare goes on at the next page."""


async def find(documents: Documents, owner: str, text: str, limit: int, cursor: str | None) -> Listing[Document]:
    """The newest entries of `owner` after `cursor` whose statement holds `text`, whatever the case; at most `limit`.

    `next_cursor` is that of the last entry that was looked at, so that the next page leaves none out.
    """
    if not text:
        return await documents.list(owner=owner, limit=limit, cursor=cursor)
    found: list[Document] = []
    for _ in range(MOST_READ // BATCH):
        page = await documents.list(owner=owner, limit=BATCH, cursor=cursor)
        for index, document in enumerate(page.items):
            if text.lower() not in str(document.data["sql"]).lower():
                continue
            found.append(document)
            if len(found) == limit:
                rest = index + 1 < len(page.items) or page.next_cursor is not None
                return Listing(found, await _after(documents, owner, index + 1, cursor) if rest else None)
        cursor = page.next_cursor
        if cursor is None:
            break
    return Listing(found, cursor)


async def _after(documents: Documents, owner: str, entries: int, cursor: str | None) -> str | None:
    return (await documents.list(owner=owner, limit=entries, cursor=cursor)).next_cursor
