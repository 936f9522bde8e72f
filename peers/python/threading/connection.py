"""One connection of ThreadingHTTPServer: reading requests and writing answers, without the endpoints."""

import http.server
import itertools
import time

import lab
from census import Canceled, Request

numbers = itertools.count(1)


class Connection(http.server.BaseHTTPRequestHandler):
    """A subclass says where to count, how long a request may take, and what its `route` answers.

    The class's `timeout` is the one timeout there is: of each single read and write of the socket.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle(self):
        with self.census.connection():
            super().handle()

    def do_GET(self):
        began = time.monotonic()
        headers = {name.lower(): self.headers.get_all(name) for name in self.headers}
        request_id, given = lab.identity(headers, next(numbers))
        self.counted, self.status, self.length = Request(self.census, request_id, given), 500, 1
        self.given, self.trace = given, (lab.traceparent(headers), lab.tracestate(headers))
        try:
            self.length, self.subject = lab.length(headers), lab.subject(headers)
            path, query = lab.target(self.path)
            deadline = began + lab.budget(headers, self.request_timeout)
            self.answer(200, self.route(path, query, deadline))
        except lab.Refused as refused:
            self.answer(refused.status, lab.wrong(request_id, refused.reason, refused))
        except Canceled:
            # A stream is cut: no last chunk, and the connection is closed.
            self.close_connection = True
        finally:
            # Any other exception closes the connection with no answer.
            self.counted.end(self.status)

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET

    def read(self):
        if self.length > lab.BODY:
            raise lab.Refused(413, "limit", f"body over {lab.BODY} bytes")
        body, self.length = self.rfile.read(self.length), 0
        return len(body)

    def answer(self, status, body):
        if body is None:  # It was streamed.
            return
        extra = {"Content-Length": str(len(body))}
        if status == 405:
            extra["Allow"] = self.allow
        if self.length > 0 or status == 414 or lab.stopping.is_set():
            # What was not read would be taken for the next request.
            extra["Connection"] = "close"
        self.head(status, extra)
        if self.command != "HEAD":
            self.wfile.write(body)

    def head(self, status, headers):
        self.status = status
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json", "X-Request-Id": self.counted.id} | headers).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass
