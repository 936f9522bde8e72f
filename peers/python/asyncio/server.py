"""The fast/slow server on asyncio's streams.

`asyncio.timeout_at` raises CancelledError inside the task at its next `await`, so work that awaits stops. Work in a
thread does not; and work that never awaits stops the whole loop, its timeouts included.
"""

import asyncio
import concurrent.futures
import os
import pathlib
import signal
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))  # what both servers share
import lab
import settings as flags
from census import Census
import database
import endpoints
from endpoints import ENDPOINTS, who
from exchange import TOO_LARGE, Exchange

settings = endpoints.settings = flags.settings()
database.open(settings)


async def connection(reader, writer):
    """Answers the requests of one connection, one after the other."""
    with census.connection():
        try:
            while True:
                async with asyncio.timeout(settings.idle_timeout):
                    head = await reader.readuntil(b"\r\n\r\n")
                exchange = Exchange(census, head, reader, writer)
                await handle(exchange)
                if exchange.close:
                    break
        except asyncio.LimitOverrunError:
            writer.write(TOO_LARGE)
        except (asyncio.IncompleteReadError, AttributeError, TimeoutError, OSError):
            pass
        finally:
            writer.close()


async def handle(exchange):
    """Runs one request under its deadline and answers it."""
    status, began = 500, time.monotonic()
    try:
        exchange.left = lab.length(exchange.headers)
        who.set((exchange.id, lab.subject(exchange.headers)))
        exchange.deadline = deadline = began + lab.budget(exchange.headers, settings.request_timeout)
        async with asyncio.timeout_at(deadline):
            if deadline <= began:
                raise TimeoutError
            endpoint, params = exchange.match(ENDPOINTS)
            status, body = 200, await endpoint(exchange, **params)
    except lab.Refused as refused:
        status, body = refused.status, lab.wrong(exchange.id, refused.reason, refused)
        exchange.close = exchange.close or status == 414
    except TimeoutError:
        status, body = 504, lab.wrong(exchange.id, "deadline", "context deadline exceeded")
    except asyncio.CancelledError:
        # Nothing but the end of a shutdown's patience cancels the task of a connection.
        status, body = 503, lab.wrong(exchange.id, "shutdown", "context canceled")
    finally:
        # Any other exception closes the connection with no answer.
        exchange.counted.end(status)
    await exchange.answer(status, body)


async def main():
    global census
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    loop.set_default_executor(concurrent.futures.ThreadPoolExecutor(settings.blocking_threads))
    census = flags.bound(Census, "python-asyncio", settings, lambda: len(asyncio.all_tasks(loop)))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    try:
        server = await asyncio.start_server(connection, *settings.listen, backlog=4096, limit=lab.HEAD)
    except OSError as error:
        raise SystemExit(f"failed to listen: {error}") from None
    census.announce(server.sockets[0].getsockname())
    await stopped.wait()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.remove_signal_handler(number)
    lab.stopping.set()
    server.close()
    patience = time.monotonic() + settings.shutdown_timeout
    while census.counts["requests"] > 0 and time.monotonic() < patience:
        await asyncio.sleep(0.005)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0.1)
    # Leaving in any other way would wait for every thread of the executor.
    os._exit(1 if census.counts["work"] > 0 else 0)


asyncio.run(main())
