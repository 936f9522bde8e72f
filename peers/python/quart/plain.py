"""Quart as its documentation writes a view, under a deadline."""
import asyncio

from quart import Quart, abort, request

import witness

app = Quart(__name__)


@app.get("/fast")
async def fast():
    return {"endpoint": "fast"}


@app.route("/slow", methods=["GET", "POST"])
async def slow():
    try:
        work = witness.Work(request.args, request.headers)
        async with asyncio.timeout(work.timeout):
            if work.reads:
                await request.get_data()
            with work:
                for pause in work:
                    await asyncio.sleep(pause)
    except witness.Malformed as error:
        abort(400, str(error))
    except TimeoutError:
        abort(504, "context deadline exceeded")
    return {"endpoint": "slow"}
