"""Bottle as its tutorial writes a route, which looks at the clock between two units of its work."""
import time

from bottle import Bottle, abort, request

import witness

app = Bottle()


@app.get("/fast")
def fast():
    return {"endpoint": "fast"}


@app.route("/slow", method=["GET", "POST"])
def slow():
    try:
        work = witness.Work(request.query, request.headers)
        if work.reads:
            request.body.read()
        with work:
            for pause in work:
                time.sleep(pause)
                if time.monotonic() >= work.deadline:
                    raise TimeoutError
    except witness.Malformed as error:
        abort(400, str(error))
    except TimeoutError:
        abort(504, "context deadline exceeded")
    return {"endpoint": "slow"}
