"""A chat endpoint of this process, which answers and fails as it is told."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

Answer = Callable[[dict[str, Any], int], tuple[int, bytes]]


class Endpoint:
    """Answers requests by a function of the request and of how often the same was asked before."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.pause = 0.0  # seconds after each byte of a body
        self.answer: Answer = lambda request, times: completion("safe")
        endpoint, lock = self, Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with lock:
                    endpoint.paths.append(self.path)
                    times = endpoint.requests.count(request | {"key": self.headers["Authorization"]})
                    endpoint.requests.append(request | {"key": self.headers["Authorization"]})
                status, body = endpoint.answer(request, times)
                if status == 0:  # hang up
                    self.close_connection = True
                    return
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/v1/chat/completions")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(BrokenPipeError, ConnectionResetError):  # nobody waits any more
                    for part in body if endpoint.pause else [body]:
                        self.wfile.write(bytes([part]) if isinstance(part, int) else part)
                        time.sleep(endpoint.pause)

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


def completion(text: str) -> tuple[int, bytes]:
    return 200, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


@contextmanager
def running() -> Iterator[Endpoint]:
    """An endpoint that is served while this lasts."""
    one = Endpoint()
    thread = Thread(target=one.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield one
    one.server.shutdown()
    thread.join()
    one.server.server_close()
