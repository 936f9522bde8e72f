"""How soon a query is gone from pg_stat_activity when its waiter is canceled: asyncpg and psycopg.

Usage: query.py URL TRIES
"""

import asyncio
import statistics
import sys
import threading
import time

import asyncpg
import psycopg

URL, TRIES = sys.argv[1], int(sys.argv[2])
QUERY, BEFORE = "SELECT pg_sleep(1.5)", 0.2


async def asyncpg_task():
    """The task that awaits the query is canceled."""
    connection = await asyncpg.connect(URL)
    yield
    try:
        async with asyncio.timeout(BEFORE):
            await connection.fetch(QUERY)
    except TimeoutError:
        yield
    await connection.close()


async def psycopg_task():
    connection = await psycopg.AsyncConnection.connect(URL)
    yield
    try:
        async with asyncio.timeout(BEFORE):
            await connection.execute(QUERY)
    except TimeoutError:
        yield
    await connection.close()


def in_thread(connection):
    try:
        connection.execute(QUERY)
    except psycopg.Error:
        pass


async def psycopg_thread():
    """A coroutine waits for a thread, and is canceled; the thread is not."""
    connection = psycopg.Connection.connect(URL)
    yield
    try:
        async with asyncio.timeout(BEFORE):
            await asyncio.to_thread(in_thread, connection)
    except TimeoutError:
        yield


async def psycopg_cancel():
    """The same, and then `Connection.cancel_safe`."""
    connection = psycopg.Connection.connect(URL)
    yield
    try:
        async with asyncio.timeout(BEFORE):
            await asyncio.to_thread(in_thread, connection)
    except TimeoutError:
        canceled_at = time.monotonic()
        connection.cancel_safe()
        yield canceled_at


def watch(began, gone):
    """Notes when the query was first and last seen."""
    with psycopg.Connection.connect(URL, autocommit=True) as connection:
        while not gone.is_set():
            rows = connection.execute(
                "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query = %s", [QUERY]).fetchall()
            if rows:
                began.append(time.monotonic())
            elif began:
                gone.at = time.monotonic()
                gone.set()
            time.sleep(0.0005)


async def once(case):
    began, gone = [], threading.Event()
    steps = case()
    await anext(steps)
    watcher = threading.Thread(target=watch, args=(began, gone))
    watcher.start()
    while not watcher.is_alive():
        pass
    given = await anext(steps)
    canceled_at = given or time.monotonic()
    await asyncio.to_thread(watcher.join)
    async for _ in steps:
        pass
    return (gone.at - (canceled_at if given else began[0] + BEFORE)) * 1e3


async def main():
    print("| driver | way | n | p50 ms | max ms |\n| --- | --- | --- | --- | --- |")
    for name, way, case in [
        (f"asyncpg {asyncpg.__version__}", "its task is canceled", asyncpg_task),
        (f"psycopg {psycopg.__version__}, AsyncConnection", "its task is canceled", psycopg_task),
        (f"psycopg {psycopg.__version__}, in a thread", "the waiter is canceled", psycopg_thread),
        (f"psycopg {psycopg.__version__}, in a thread", "`cancel_safe()`", psycopg_cancel),
    ]:
        times = [await once(case) for _ in range(TRIES)]
        print(f"| {name} | {way} | {TRIES} | {statistics.median(times):.1f} | {max(times):.1f} |", flush=True)


asyncio.run(main())
