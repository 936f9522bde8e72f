"""Work in a process of its own: ticks and beats by itself, and dies with the server that started it.

Usage: worker.py SERVER-PID WORK TICK [ID WITNESS]; the times are in seconds.
"""

import ctypes
import os
import signal
import socket
import sys
import time

import lab

PR_SET_PDEATHSIG = 1


def command(counted, work, tick):
    """The command of a worker that beats under the name of a request."""
    words = [sys.executable, "-S", __file__, os.getpid(), work, tick]
    if counted.heard:
        words += [counted.id, ":".join(map(str, counted.census.witness.getpeername()))]
    return [str(word) for word in words]


def main(server, work, tick, request_id=None, witness=None):
    # The kernel kills this process when the thread that started it ends.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The server may have died before the signal was asked for.
    if os.getppid() != int(server):
        sys.exit(1)
    beats = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if witness:
        host, port = witness.rsplit(":", 1)
        beats.connect((host, int(port)))
    for number, end in enumerate(lab.ticks(float(work), float(tick)), 1):
        time.sleep(max(0, end - time.monotonic()))
        if witness:
            beats.send(f"{request_id} beat {number}".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
