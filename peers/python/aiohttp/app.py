"""aiohttp as its documentation writes a handler, under a deadline."""
import asyncio
import sys

from aiohttp import web

import witness

routes = web.RouteTableDef()


@routes.get("/fast")
async def fast(request):
    return web.json_response({"endpoint": "fast"})


@routes.get("/slow")
@routes.post("/slow")
async def slow(request):
    try:
        work = witness.Work(request.query, request.headers)
        async with asyncio.timeout(work.timeout):
            if work.reads:
                await request.read()
            with work:
                for pause in work:
                    await asyncio.sleep(pause)
    except witness.Malformed as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    except TimeoutError:
        raise web.HTTPGatewayTimeout(text="context deadline exceeded") from None
    return web.json_response({"endpoint": "slow"})


app = web.Application()
app.add_routes(routes)
cancels = "--handler-cancellation" in sys.argv
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, handler_cancellation=cancels)
