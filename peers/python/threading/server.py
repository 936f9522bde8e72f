"""The fast/slow server on http.server.ThreadingHTTPServer: a thread a connection, and a worker thread for slow work.

The handler waits for its worker with `queue.get(timeout=…)`. When the timeout comes the handler answers 504, and the
worker runs on: Python has no way to stop a thread from outside. Only work that asks an Event stops.
"""

import contextlib
import contextvars
import http.server
import os
import pathlib
import queue
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1]))  # what both servers share
import database
import lab
import settings as flags
import upstream
import worker
from census import Canceled, Census
from connection import Connection

SIGNALS = {signal.SIGINT, signal.SIGTERM}
# Threads inherit this, so that a signal waits for the main thread and never ends the process through another one.
signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
settings = flags.settings()
database.open(settings)
census = flags.bound(Census, "python-threading", settings, threading.active_count)
who = contextvars.ContextVar("who")


class Handler(Connection):
    census = census
    request_timeout = settings.request_timeout
    timeout = settings.idle_timeout

    def route(self, path, query, deadline):
        endpoints = {"/fast": (self.fast, {}, "GET, HEAD"), "/slow": (self.slow, lab.SLOW, "GET, HEAD, POST"),
                     "/upload": (self.upload, {}, "POST"), "/stream": (self.stream, lab.STREAM, "GET, HEAD"),
                     "/values": (self.values, {}, "GET, HEAD"), "/panic": (self.panic, {}, "GET, HEAD")}
        if path not in endpoints:
            raise lab.Refused(404, "not-found", "no such path")
        endpoint, takes, self.allow = endpoints[path]
        if self.command not in self.allow.split(", "):
            raise lab.Refused(405, "bad-request", f"method not allowed: it takes {self.allow}")
        return endpoint(deadline, **lab.params(query, **takes))

    def fast(self, _deadline):
        return lab.document(endpoint="fast", request_id=self.counted.id)

    def values(self, _deadline):
        """A new thread starts with an empty context, so the values go along only if they are taken along."""
        who.set((self.counted.id, self.subject))
        found, context = queue.Queue(1), contextvars.copy_context()
        threading.Thread(target=context.run, args=(lambda: found.put(who.get()),)).start()
        request_id, subject = found.get()
        return lab.document(request_id=request_id, subject=subject)

    def upload(self, _deadline):
        return lab.document(bytes=self.read())

    def slow(self, deadline, work, style, tick, body, hops):
        lab.called(settings, style)
        if body == "read":
            self.read()
        if time.monotonic() >= deadline:
            raise lab.Refused(504, "deadline", "context deadline exceeded")
        results, stop, began = queue.Queue(1), threading.Event(), time.monotonic()
        job = run, (self.counted, style, lab.ticks(work, tick), stop, results)
        if style in OUTSIDE:
            job = outside, (self, OUTSIDE[style], deadline, work, tick, hops, results)
        threading.Thread(target=job[0], args=job[1], daemon=True).start()
        try:
            failed = results.get(timeout=deadline - time.monotonic())
        except (queue.Empty, ValueError):
            stop.set()
            raise lab.Refused(504, "deadline", "context deadline exceeded") from None
        if failed:
            raise failed
        worked = int((time.monotonic() - began) * 1000)
        return lab.document(endpoint="slow", request_id=self.counted.id, worked_ms=worked)

    def stream(self, deadline, chunks, every):
        self.head(200, {"Transfer-Encoding": "chunked"})
        with self.counted.work(OSError) as beat:
            for number, end in enumerate(lab.ticks(chunks * every, every)):
                time.sleep(max(0, min(end, deadline) - time.monotonic()))
                if time.monotonic() >= deadline:
                    raise Canceled
                chunk = lab.document(chunk=number)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                beat()
        self.wfile.write(b"0\r\n\r\n")

    def panic(self, _deadline):
        with self.counted.work():
            raise RuntimeError(f"asked to panic by request {self.counted.id}")


def run(counted, style, ticks, stop, results):
    """Does the work, on a thread of its own."""
    with contextlib.suppress(Canceled), counted.work() as beat:
        for end in ticks:
            if style == "context" and stop.wait(max(0, end - time.monotonic())):
                raise Canceled
            if style == "polling" and stop.is_set():
                raise Canceled
            while style == "spin" and time.monotonic() < end:
                pass
            time.sleep(max(0, end - time.monotonic()))
            beat()
    results.put(None)


def outside(handler, work_there, deadline, work, tick, hops, results):
    """Has the work done elsewhere, on a thread of its own. Its timeout is all that ends it: nobody looks at the client."""
    failed = None
    try:
        work_there(handler, deadline, work, tick, hops)
    except lab.Refused as refused:
        failed = refused
    except TimeoutError:
        failed = lab.Refused(504, "deadline", "context deadline exceeded")
    results.put(failed)


def process(handler, deadline, work, tick, _hops):
    """Works in a child process. At its timeout `subprocess.run` kills the child and reaps it."""
    command, left = worker.command(handler.counted, work, tick), deadline - time.monotonic()
    try:
        with handler.counted.work(lab.Refused, subprocess.TimeoutExpired):
            ended = subprocess.run(command, timeout=max(0, left), start_new_session=True)
            if ended.returncode != 0:
                raise lab.Refused(502, "child", "the worker process failed")
    except subprocess.TimeoutExpired:
        raise lab.Refused(504, "deadline", "context deadline exceeded") from None


def call(handler, deadline, work, tick, hops):
    """Lets the upstream do the work. The timeout of the socket is of each single read."""
    counted = handler.counted
    asked = upstream.ask(settings, counted.id, handler.given, handler.trace, deadline, work, tick, hops)
    try:
        if asked is None:
            raise TimeoutError
        with counted.work(lab.Refused, TimeoutError):
            answer(asked, deadline)
    except TimeoutError:
        time.sleep(max(0, deadline - time.monotonic()))
        raise lab.Refused(504, "deadline", "context deadline exceeded") from None
    except lab.Refused as refused:
        if refused.status == 504:
            time.sleep(upstream.rest(settings, deadline))
        raise


def answer(asked, deadline):
    """Asks the upstream and reads the head of its answer."""
    try:
        with socket.create_connection(settings.upstream, max(0.001, deadline - time.monotonic())) as stream:
            stream.sendall(asked)
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                chunk = stream.recv(1)
                if not chunk:
                    raise upstream.failed()
                head += chunk
                if head.endswith(b"\r\n\r\n") and upstream.answered(head):
                    head = b""
    except TimeoutError:
        raise
    except OSError:
        raise upstream.failed() from None


def query(handler, deadline, work, _tick, _hops, cancels=True):
    """Lets the database do the work, and cancels its query at the deadline."""
    with handler.counted.work(lab.Refused, TimeoutError), database.lend(deadline) as connection:
        connection.run(lab.statement(handler.counted.id, work), deadline if cancels else None)


def query_dropped(*job):
    """Waits for the query to its end: the wait for this thread ends at the deadline, and nobody tells the database."""
    query(*job, cancels=False)


OUTSIDE = {"process": process, "upstream": call, "query": query, "query-dropped": query_dropped}


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 4096
    daemon_threads = True

    def handle_error(self, _request, _client):
        print("failed to serve:", repr(sys.exc_info()[1]), file=sys.stderr)


def main():
    server = flags.bound(Server, settings.listen, Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), name="accept", daemon=True).start()
    census.announce(server.server_address)
    signal.sigwait(SIGNALS)
    # The second signal ends the process at once, without a KeyboardInterrupt to be unwound.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    lab.stopping.set()
    server.shutdown()
    server.server_close()
    patience = time.monotonic() + settings.shutdown_timeout
    while census.counts["requests"] > 0 and time.monotonic() < patience:
        time.sleep(0.005)
    # The threads are daemons: what still runs ends with the process, in the middle of whatever it does.
    os._exit(1 if census.counts["work"] > 0 else 0)


main()
