import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        slow = self.path.startswith("/slow")
        if slow:
            time.sleep(int(self.headers.get("grpc-timeout", "2000m")[:-1]) / 1000)
        self.send_response(504 if slow else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
