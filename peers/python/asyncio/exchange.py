"""HTTP/1.1 on asyncio's streams, as little of it as a lab needs: one request and its answer."""

import http
import itertools
import re

import lab
from census import Request

numbers = itertools.count(1)
LINE = re.compile(r"([!#$%&'*+.^_`|~A-Za-z0-9-]+) (/[!-~]*|http://[!-~]+) HTTP/1\.([01])")
FIELD = re.compile(r"([!#$%&'*+.^_`|~A-Za-z0-9-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*?)[ \t]*")
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Exchange:
    def __init__(self, census, head, reader, writer):
        """Reads the head; one that is malformed is an AttributeError, and the connection is closed."""
        line, *fields = head.decode("latin-1").split("\r\n")[:-2]
        self.method, self.target, version = LINE.fullmatch(line).groups()
        self.headers = {}
        for name, value in (FIELD.fullmatch(field).groups() for field in fields):
            self.headers.setdefault(name.lower(), []).append(value)
        self.left = 1  # Until the head has said otherwise.
        self.close = version == "0" or self.headers.get("connection", [""])[0].lower() == "close"
        self.reader, self.writer, self.allow, self.headed = reader, writer, "", False
        self.id, given = lab.identity(self.headers, next(numbers))
        self.given, self.deadline = given, None  # Until its budget is read.
        self.counted = Request(census, self.id, given)

    def match(self, endpoints):
        """The endpoint of this request and its parameters."""
        path, query = lab.target(self.target)
        if path not in endpoints:
            raise lab.Refused(404, "not-found", "no such path")
        endpoint, takes, self.allow = endpoints[path]
        if self.method not in self.allow.split(", "):
            raise lab.Refused(405, "bad-request", f"method not allowed: it takes {self.allow}")
        return endpoint, lab.params(query, **takes)

    async def read(self):
        """Reads the body to its end and returns its size."""
        if self.left > lab.BODY:
            raise lab.Refused(413, "limit", f"body over {lab.BODY} bytes")
        if self.headers.get("expect") == ["100-continue"]:
            self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        size = len(await self.reader.readexactly(self.left))
        self.left = 0
        return size

    def head(self, status, **fields):
        fields = {"Content-Type": "application/json", "X-Request-Id": self.id} | fields
        # What was not read would be taken for the next request.
        if self.left > 0 or self.close or lab.stopping.is_set():
            self.close, fields["Connection"] = True, "close"
        lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
        self.headed = True
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    async def answer(self, status, body):
        """Writes the answer; after a head there is nothing left to say but to close."""
        if self.headed:
            self.close = True
            return
        allow = {"Allow": self.allow} if status == 405 else {}
        self.head(status, Content_Length=len(body), **allow)
        if self.method != "HEAD":
            self.writer.write(body)
        await self.writer.drain()
