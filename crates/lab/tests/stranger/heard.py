import os, socket, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

udp, host = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), os.environ.get("LAB_WITNESS", "127.0.0.1:9")

def work(name):
    for event in ["start", *(f"beat {n}" for n in range(1, 200)), "end completed"]:
        udp.sendto(f"{name} {event}".encode(), (host.split(":")[0], int(host.split(":")[1])))
        time.sleep(0.01)

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        slow = self.path.startswith("/slow")
        if slow:
            threading.Thread(target=work, args=(self.headers.get("X-Request-Id"),), daemon=True).start()
            time.sleep(int(self.headers.get("grpc-timeout", "2000m")[:-1]) / 1000)
        self.send_response(504 if slow else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
