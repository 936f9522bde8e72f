"""Litestar whose handler asks `receive` between two units of its work whether the client left."""
import asyncio

from litestar import Litestar, Request, get, route
from litestar.exceptions import HTTPException

import witness

@get("/fast")
async def fast() -> dict[str, str]:
    return {"endpoint": "fast"}

@route("/slow", http_method=["GET", "POST"], status_code=200)
async def slow(request: Request) -> dict[str, str]:
    try:
        work = witness.Work(request.query_params, request.headers)
        async with asyncio.timeout(work.timeout):
            if work.reads:
                await request.body()
            with work:
                for pause in work:
                    await asyncio.sleep(pause)
                    if await disconnected(request):
                        return {"endpoint": "slow"}  # nothing reads it
    except witness.Malformed as error:
        raise HTTPException(str(error), status_code=400) from None
    except TimeoutError:
        raise HTTPException("context deadline exceeded", status_code=504) from None
    return {"endpoint": "slow"}

async def disconnected(request):
    try:
        async with asyncio.timeout(0):
            return (await request.receive())["type"] == "http.disconnect"
    except TimeoutError:
        return False

app = Litestar([fast, slow])
