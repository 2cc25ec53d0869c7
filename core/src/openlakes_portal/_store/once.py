"""What counts once: a token's `jti` is remembered, as a hash, until the token has ended anyway."""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from openlakes_portal._store.clock import now
from openlakes_portal._store.identity_tables import used_once

LONGER = timedelta(hours=2)
"""What has ended may be good again where the clock is set back; it does not count again."""


async def first_use(connection: AsyncConnection, value: str, until: datetime) -> bool:
    """Whether nobody used this value before, in any process. It counts with the transaction."""
    values = {"value_hash": hashlib.sha256(value.encode()).hexdigest(), "expires_at": until}
    await connection.execute(delete(used_once).where(used_once.c.expires_at < now() - LONGER))
    try:
        async with connection.begin_nested():
            await connection.execute(insert(used_once).values(values))
    except IntegrityError:
        return False
    return True
