"""The ways to stop work, in Python. Run, it says whether each of them does."""

import asyncio
import socket
import subprocess
import threading
import time


def ask(canceled, items, step):
    # shown: ask
    for item in items:
        if canceled.is_set():  # threading.Event
            return
        step(item)
    # shown: end


async def cancel(work):
    # shown: cancel
    async with asyncio.timeout(0.3):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(work())
    # shown: end


def bound(sock, deadline):
    # shown: bound
    sock.settimeout(deadline - time.monotonic())
    # shown: end


async def move(crunch, canceled):
    # shown: move
    # crunch checks the event, as above
    await asyncio.to_thread(crunch, canceled)
    # shown: end


def kill():
    # shown: kill
    # kills the child at its timeout
    subprocess.run(["sleep", "60"], timeout=0.3)
    # shown: end


async def query(conn, sql):
    # shown: query
    # asyncpg cancels the query at its timeout
    await conn.fetch(sql, timeout=0.3)
    # shown: end


async def watch(request, canceled):
    # shown: watch
    # Starlette
    if await request.is_disconnected():
        canceled.set()
    # shown: end


def takes(module, name, method, *parameters):
    """Asserts of a library that is installed that its method takes these parameters."""
    import importlib
    import inspect

    try:
        owner = getattr(importlib.import_module(module), name)
    except ImportError:
        return
    have = inspect.signature(getattr(owner, method)).parameters
    assert all(parameter in have for parameter in parameters), f"{module}.{name}.{method}"


def main():
    canceled, done = threading.Event(), []
    ask(canceled, [1, 2, 3], lambda item: (done.append(item), item == 2 and canceled.set()))
    assert done == [1, 2], "ask"

    ended = []

    async def work():
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    try:
        asyncio.run(cancel(work))
        raise AssertionError("cancel")
    except TimeoutError:
        assert ended == [True], "cancel"

    ours, theirs = socket.socketpair()
    bound(ours, time.monotonic() + 1)  # so far ahead that a busy machine leaves some of it
    try:
        ours.recv(1)
        raise AssertionError("bound")
    except TimeoutError:
        theirs.close()

    seen = []
    asyncio.run(move(lambda event: seen.append(event.is_set()), canceled))
    assert seen == [True], "move"

    try:
        kill()
        raise AssertionError("kill")
    except subprocess.TimeoutExpired:
        pass

    takes("asyncpg", "Connection", "fetch", "timeout")
    takes("starlette.requests", "Request", "is_disconnected")
    print("ok")


if __name__ == "__main__":
    main()
