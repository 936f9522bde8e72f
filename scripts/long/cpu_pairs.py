"""Compares the processor time of a `/fast` over HTTP/1.1 on two servers, in pairs of loads in a random order.

    cpu_pairs.py PAIRS REQUESTS BEFORE NOW      the binaries of two servers
"""
import pathlib
import random
import re
import statistics
import subprocess
import sys

RESAMPLES = 4_000


class Server:
    """A running server."""

    def __init__(self, binary):
        self.process = subprocess.Popen([binary, "--threads", "2"], stdout=subprocess.PIPE, text=True)
        self.port = int(re.search(r":(\d+)\s*$", self.process.stdout.readline())[1])

    def cpu(self):
        """The processor time of all its threads, in nanoseconds."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def cost(self, requests):
        """The processor time of one request of a load, in microseconds."""
        before = self.cpu()
        load = ["h2load", "--h1", "-n", str(requests), "-c16", "-t1", f"http://127.0.0.1:{self.port}/fast"]
        said = subprocess.run(load, capture_output=True, text=True).stdout
        if f"status codes: {requests} 2xx" not in said:
            sys.exit(f"cpu_pairs.py: h2load says: {said}")
        return (self.cpu() - before) / requests / 1e3


def compare(pairs, requests, binaries):
    servers = [Server(binary) for binary in binaries]
    try:
        for server in servers:
            server.cost(requests)  # warms up
        costs = []
        for _ in range(pairs):
            pair = {}
            for index in random.sample((0, 1), 2):
                pair[index] = servers[index].cost(requests)
            costs.append((pair[0], pair[1]))
    finally:
        for server in servers:
            server.process.terminate()
            server.process.wait()
    ratio = lambda pairs: sum(now for _, now in pairs) / sum(before for before, _ in pairs)
    spread = sorted(ratio(random.choices(costs, k=pairs)) for _ in range(RESAMPLES))
    low, high = spread[RESAMPLES // 40], spread[-RESAMPLES // 40]
    medians = [statistics.median(cost) for cost in zip(*costs)]
    name = pathlib.Path(binaries[1]).name
    print(
        f"{name}: {medians[0]:.2f} us of processor time a request before, {medians[1]:.2f} now (medians of {pairs} pairs of "
        f"{requests} requests); now / before, of all: {ratio(costs):.3f} (95 %: {low:.3f} to {high:.3f})"
    )


if __name__ == "__main__":
    compare(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:5])
