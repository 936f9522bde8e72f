"""Envoy on a port, in front of the lab's server on tokio: Envoy speaks HTTP/2 with prior knowledge, and HTTP/1.1 to its upstream.

    envoy.py PORT ENVOY [SERVER]      the binary of Envoy, and that of the server: target/release/server-tokio

The witness hears the server, by LAB_WITNESS; so what it hears of a stream is what Envoy passes on.
"""
import pathlib
import signal
import subprocess
import sys
import tempfile

port, envoy, server = [*sys.argv[1:], "target/release/server-tokio"][:3]
upstream = subprocess.Popen([server, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
listening = upstream.stdout.readline().rsplit(":", 1)[1].strip()
config = pathlib.Path(__file__).parents[1].joinpath("proxies/envoy/envoy.yaml").read_text()
for name, value in {"listen_port": port, "upstream_port": listening, "second_port": listening}.items():
    config = config.replace("{" + name + "}", value)
with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
    file.write(config)
    file.flush()
    words = [envoy, "-c", file.name, "--concurrency", "1", "--log-level", "warning", "--disable-hot-restart"]
    proxy = subprocess.Popen(words)
    signal.signal(signal.SIGTERM, lambda *_: proxy.terminate())
    status = proxy.wait()
    upstream.terminate()
sys.exit(max(status, 0))
