"""The endpoints on asyncio, and one way to work for each style."""

import asyncio
import contextvars
import threading
import time

import database
import lab
import upstream
import worker
from census import Canceled

who = contextvars.ContextVar("who")
settings = None  # The server's flags, once they are read.
kept = set()  # The loop holds its tasks weakly, so those that nobody awaits are kept here.


class ChildFailed(Exception):
    pass


async def fast(exchange):
    return lab.document(endpoint="fast", request_id=exchange.id)


async def values(_exchange):
    async def inside():
        return who.get()
    request_id, subject = await asyncio.create_task(inside())
    return lab.document(request_id=request_id, subject=subject)


async def upload(exchange):
    return lab.document(bytes=await exchange.read())


async def slow(exchange, work, style, tick, body, hops):
    lab.called(settings, style)
    if body == "read":
        await exchange.read()
    began, ticks, counted = time.monotonic(), lab.ticks(work, tick), exchange.counted
    match style:
        case "context" | "drop":  # A coroutine is told to stop by an exception: it need not ask.
            await awaiting(counted, ticks)
        case "detached":
            task = asyncio.create_task(awaiting(counted, ticks))
            kept.add(task)
            task.add_done_callback(kept.discard)
            await asyncio.shield(task)
        case "spin":
            sleeping(counted, ticks, threading.Event(), spin=True)
        case "blocking" | "polling":
            stop = threading.Event()
            try:
                await asyncio.to_thread(sleeping, counted, ticks, stop)
            finally:
                if style == "polling":
                    stop.set()
        case "process":
            await process(counted, work, tick)
        case "upstream":
            await call(exchange, work, tick, hops)
        case "query" | "query-dropped":
            with counted.work(asyncio.CancelledError, lab.Refused):
                await database.run(lab.statement(exchange.id, work), cancels=style == "query")
    worked = int((time.monotonic() - began) * 1000)
    return lab.document(endpoint="slow", request_id=exchange.id, worked_ms=worked)


async def awaiting(counted, ticks):
    with counted.work(asyncio.CancelledError) as beat:
        for end in ticks:
            await asyncio.sleep(max(0, end - time.monotonic()))
            beat()


async def process(counted, work, tick):
    """Works in a child process, which is killed and reaped whichever way this ends."""
    child = await asyncio.create_subprocess_exec(*worker.command(counted, work, tick), start_new_session=True)
    try:
        with counted.work(asyncio.CancelledError, lab.Refused):
            if await child.wait() != 0:
                raise lab.Refused(502, "child", "the worker process failed")
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def call(exchange, work, tick, hops):
    """Lets the upstream do the work. The connection is closed whichever way this ends, and that is its cancel."""
    trace = lab.traceparent(exchange.headers), lab.tracestate(exchange.headers)
    asked = upstream.ask(settings, exchange.id, exchange.given, trace, exchange.deadline, work, tick, hops)
    if asked is None:
        # The timeout around this task raises at the deadline.
        await asyncio.Future()
    try:
        with exchange.counted.work(asyncio.CancelledError, lab.Refused):
            await answer(asked)
    except lab.Refused as refused:
        if refused.status == 504:
            await asyncio.sleep(upstream.rest(settings, exchange.deadline))
        raise


async def answer(asked):
    """Asks the upstream and reads the head of its answer."""
    writer = None
    try:
        reader, writer = await asyncio.open_connection(*settings.upstream)
        writer.write(asked)
        while upstream.answered(await reader.readuntil(b"\r\n\r\n")):
            pass
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise upstream.failed() from None
    finally:
        if writer:
            writer.transport.abort()


def sleeping(counted, ticks, stop, spin=False):
    with counted.work() as beat:
        for end in ticks:
            if stop.is_set():
                raise Canceled
            while spin and time.monotonic() < end:
                pass
            time.sleep(max(0, end - time.monotonic()))
            beat()


async def stream(exchange, chunks, every):
    exchange.head(200, Transfer_Encoding="chunked")
    with exchange.counted.work(asyncio.CancelledError, OSError) as beat:
        for number, end in enumerate(lab.ticks(chunks * every, every)):
            await asyncio.sleep(max(0, end - time.monotonic()))
            chunk = lab.document(chunk=number)
            exchange.writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            await exchange.writer.drain()
            beat()
    exchange.writer.write(b"0\r\n\r\n")


async def fanout(exchange, width, work, fail, tick):
    if fail is not None and fail >= width:
        raise lab.Refused(400, "bad-request", f"parameter `fail` takes 0 to {width - 1}")

    async def child(number):
        await awaiting(exchange.counted, lab.ticks(tick if number == fail else work, tick))
        if number == fail:
            raise ChildFailed(f"child {number} failed")
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(width):
                group.create_task(child(number))
    except* ChildFailed as failed:
        raise lab.Refused(502, "child", failed.exceptions[0]) from None
    return lab.document(endpoint="fanout", request_id=exchange.id, children=width)


async def panic(exchange):
    with exchange.counted.work():
        raise RuntimeError(f"asked to panic by request {exchange.id}")


ENDPOINTS = {
    "/fast": (fast, {}, "GET, HEAD"), "/slow": (slow, lab.SLOW, "GET, HEAD, POST"), "/values": (values, {}, "GET, HEAD"),
    "/upload": (upload, {}, "POST"), "/stream": (stream, lab.STREAM, "GET, HEAD"), "/panic": (panic, {}, "GET, HEAD"),
    "/fanout": (fanout, lab.FANOUT, "GET, HEAD"),
}
