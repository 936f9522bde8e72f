"""The lab's mixes for Locust: requests that are answered, that time out, and whose clients leave.

Each user sends RATE requests a second whatever the server does, as long as an answer takes less than 1/RATE seconds, so that
the load is open as far as Locust can be. Choose mixes by tag:

    locust -f benches/locust/locustfile.py --host http://127.0.0.1:8080 --headless -u 200 -r 200 -t 60s --tags timeout

| tag     | what a user does                                                      | counts as a success |
| fast    | GET /fast                                                             | 200                 |
| timeout | GET /slow with more work than its deadline allows                     | 504                 |
| fin     | sends GET /slow and closes after 100 ms                               | no answer           |
| rst     | the same, by a reset                                                  | no answer           |
| half    | sends GET /slow and closes its sending half; it reads on              | any answer, or none |
| storm   | 50 requests at once that time out, then a pause                       | 504                 |

Ways to leave that Locust cannot do: a host that vanishes (no FIN, no RST), and a reset of an HTTP/2 stream.
The work is asked for by LAB_TARGET (default below), the deadline by LAB_TIMEOUT (a grpc-timeout, default 300m).
"""

import itertools
import os
import socket
import struct
import time

import gevent
from locust import FastHttpUser, constant_throughput, runners, tag, task

TARGET = os.environ.get("LAB_TARGET", "/slow?work=1s&tick=50ms&style=context")
TIMEOUT = os.environ.get("LAB_TIMEOUT", "300m")
RATE = float(os.environ.get("LAB_RATE", "1"))
STORM = 50

# The seconds for which a worker may be silent before the master gives it up. With the last worker the run ends, and its exit
# status is 0; by default these are 3, which a busy machine takes to make the users.
runners.HEARTBEAT_LIVENESS = 30

number = itertools.count()


def request_id():
    """A name that no other request has, on no worker: the heartbeats of its work carry it."""
    return f"locust-{os.getpid()}-{next(number)}"


class Client(FastHttpUser):
    """A client of one connection."""

    wait_time = constant_throughput(RATE)
    # As many requests at once as a storm has.
    concurrency = STORM

    @tag("fast")
    @task
    def fast(self):
        self.ask("fast", "/fast", 200)

    @tag("timeout")
    @task
    def timeout(self):
        self.ask("timeout", TARGET, 504)

    @tag("fin")
    @task
    def fin(self):
        self.leave("fin")

    @tag("rst")
    @task
    def rst(self):
        self.leave("rst")

    @tag("half")
    @task
    def half(self):
        self.leave("half")

    @tag("storm")
    @task
    def storm(self):
        gevent.joinall([gevent.spawn(self.ask, "storm", TARGET, 504) for _ in range(STORM)])

    def ask(self, name, target, wanted):
        headers = {"X-Request-Id": request_id(), "grpc-timeout": TIMEOUT}
        with self.client.get(target, name=name, headers=headers, catch_response=True) as response:
            if response.status_code == wanted:
                response.success()
            else:
                response.failure(f"{response.status_code or response.error}, not {wanted}")

    def leave(self, way):
        """Sends a request on a connection of its own, and leaves 100 ms later."""
        start, error = time.perf_counter(), None
        address = (self.client.base_url.split("//")[1].rstrip("/").rsplit(":", 1))
        try:
            with socket.create_connection((address[0], int(address[1])), timeout=5) as client:
                head = f"GET {TARGET} HTTP/1.1\r\nHost: {':'.join(address)}\r\n"
                client.sendall(f"{head}X-Request-Id: {request_id()}\r\ngrpc-timeout: {TIMEOUT}\r\n\r\n".encode())
                gevent.sleep(0.1)
                if way == "rst":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                elif way == "half":
                    client.shutdown(socket.SHUT_WR)
                    client.recv(65536)
        except OSError as failure:
            # A server may take a half-close for a disconnect, and reset.
            error = None if way == "half" else failure
        took = (time.perf_counter() - start) * 1e3
        self.environment.events.request.fire(
            request_type="LEAVE", name=way, response_time=took, response_length=0, exception=error, context={}
        )
