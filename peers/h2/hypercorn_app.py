"""The fast/slow server as a bare ASGI application, for hypercorn: it speaks HTTP/2 with prior knowledge beside HTTP/1.1.

A deadline is `asyncio.timeout`; a client that left is `http.disconnect`, which a task beside the work waits for.
"""
import asyncio
import json
import pathlib
import sys
import urllib.parse

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import witness


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    query = dict(urllib.parse.parse_qsl(scope["query_string"].decode("latin-1")))
    endpoint = {"/fast": fast, "/slow": slow, "/stream": stream}.get(scope["path"])
    if endpoint is None:
        return await answer(send, 404, error="no such path")
    try:
        if endpoint is stream:
            every, chunks = query.get("every", "100ms"), int(query.get("chunks", 10))
            work = witness.Work({"tick": every, "work": f"{int(every.removesuffix('ms')) * chunks}ms"}, headers)
        else:
            work = witness.Work(query, headers)
        async with asyncio.timeout(work.timeout):
            await endpoint(work, receive, send)
    except witness.Malformed as error:
        await answer(send, 400, error=str(error))
    except TimeoutError:
        if endpoint is stream:
            raise  # the head has left: hypercorn ends the stream
        await answer(send, 504, error="context deadline exceeded", reason="deadline")
    except asyncio.CancelledError:
        if asyncio.current_task().cancelling():
            raise


async def fast(work, receive, send):
    await answer(send, 200, endpoint="fast")


async def slow(work, receive, send):
    more = work.reads
    while more:
        message = await receive()
        more = message.get("more_body", False)
    async with told(receive):
        with work:
            for pause in work:
                await asyncio.sleep(pause)
    await answer(send, 200, endpoint="slow")


async def stream(work, receive, send):
    async with told(receive):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        with work:
            for count, pause in enumerate(work):
                await asyncio.sleep(pause)
                await send({"type": "http.response.body", "body": f"chunk {count + 1}\n".encode(), "more_body": True})
    await send({"type": "http.response.body"})


class told:
    """Cancels the block when the client has left."""

    def __init__(self, receive):
        self.receive = receive

    async def __aenter__(self):
        self.inside, self.left = asyncio.current_task(), False
        self.waiting = asyncio.create_task(self.wait())

    async def wait(self):
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self.left = True
        self.inside.cancel()

    async def __aexit__(self, *_):
        self.waiting.cancel()
        if self.left:
            self.inside.uncancel()


async def answer(send, status, **document):
    head = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": json.dumps(document).encode() + b"\n"})
