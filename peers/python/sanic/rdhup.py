"""Sanic whose handler asks the kernel between two units of its work whether the client has closed its end."""

import asyncio
import select

from sanic import Sanic, exceptions, json

import witness

app = Sanic("lab")


@app.get("/fast")
async def fast(request):
    return json({"endpoint": "fast"})


@app.route("/slow", methods=["GET", "POST"], stream=True)
async def slow(request):
    client = select.poll()
    client.register(request.transport.get_extra_info("socket"), select.POLLRDHUP)
    try:
        work = witness.Work({key: request.args.get(key) for key in request.args}, request.headers)
        async with asyncio.timeout(work.timeout):
            if work.reads:
                await request.receive_body()
            with work:
                for pause in work:
                    await asyncio.sleep(pause)
                    if client.poll(0):
                        raise ConnectionError("the client has left")
    except witness.Malformed as error:
        raise exceptions.BadRequest(str(error)) from None
    except TimeoutError:
        raise exceptions.SanicException("context deadline exceeded", 504) from None
    return json({"endpoint": "slow"})
