"""Starlette as its documentation writes an endpoint, under a deadline."""
import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Route

import witness


async def fast(request):
    return JSONResponse({"endpoint": "fast"})


async def slow(request):
    try:
        work = witness.Work(request.query_params, request.headers)
        async with asyncio.timeout(work.timeout):
            if work.reads:
                await request.body()
            with work:
                for pause in work:
                    await asyncio.sleep(pause)
    except witness.Malformed as error:
        raise HTTPException(400, str(error)) from None
    except TimeoutError:
        raise HTTPException(504, "context deadline exceeded") from None
    return JSONResponse({"endpoint": "slow"})


app = Starlette(routes=[Route("/fast", fast), Route("/slow", slow, methods=["GET", "POST"])])
