"""Queries on asyncpg, which sends a cancel request for a query whose task is canceled."""

import asyncio

import lab
import settings as flags

CONNECTIONS = 8
asyncpg = url = pool = None


def open(settings):
    """Loads the driver. The pool is made by the first query, for it belongs to the loop that runs then."""
    global asyncpg, url
    asyncpg, url = flags.driver(settings, "asyncpg"), settings.database


async def keep(_connection):
    """Leaves a connection as it is: its queries change nothing that the next one sees."""


async def run(statement, cancels):
    """Runs one query on a connection of the pool."""
    global pool
    if pool is None:
        pool = asyncpg.create_pool(url, min_size=0, max_size=CONNECTIONS, reset=keep)
    try:
        await pool
        async with pool.acquire() as connection:
            if cancels:
                await connection.execute(statement)
            else:
                await dropped(connection, statement)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        raise lab.no_database() from None


async def dropped(connection, statement):
    """Closes the connection of a query that is given up, as a driver does that sends no cancel request."""
    query = asyncio.create_task(connection.execute(statement))
    try:
        await asyncio.shield(query)
    except asyncio.CancelledError:
        connection.terminate()
        await asyncio.gather(query, return_exceptions=True)
        raise
