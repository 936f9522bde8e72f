"""Bottle whose route asks the kernel about its client's socket, and takes the body from gunicorn, which has read the chunks."""
import select
import time

from bottle import Bottle, HTTPResponse, abort, request

import witness

app = Bottle()


@app.get("/fast")
def fast():
    return {"endpoint": "fast"}


@app.route("/slow", method=["GET", "POST"])
def slow():
    client = select.poll()
    client.register(request.environ["gunicorn.socket"], select.POLLRDHUP)
    try:
        work = witness.Work(request.query, request.headers)
        if work.reads:
            request.environ["wsgi.input"].read()
        with work:
            for pause in work:
                time.sleep(pause)
                if time.monotonic() >= work.deadline:
                    raise TimeoutError
                if client.poll(0):
                    return HTTPResponse(status=499)  # nothing reads it
    except witness.Malformed as error:
        abort(400, str(error))
    except TimeoutError:
        abort(504, "context deadline exceeded")
    return {"endpoint": "slow"}
