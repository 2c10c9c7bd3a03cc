"""Real clients and servers for the table of equivalence.

    clients.py serve          prints a line "NAME PORT" for each server, an empty line, and then a line
                              "NAME WHAT-IT-SAW" for each conversation that has ended
    clients.py NAME PORT      runs a client; prints what it saw

What was seen is text without times, ports or anything else that differs from run to run.
"""

import asyncio
import hashlib
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LARGE = bytes(range(256)) * 4000
HOST = "127.0.0.1"


def digest(data):
    return f"{len(data)} bytes {hashlib.sha256(data).hexdigest()[:12]}"


def report(name, seen):
    sys.stdout.write(f"{name} {seen}\n")
    sys.stdout.flush()


def exactly(stream, length):
    data = b""
    while len(data) < length:
        piece = stream.recv(min(length - len(data), 1 << 16))
        if not piece:
            raise EOFError(f"after {len(data)} of {length} bytes")
        data += piece
    return data


# TLS, with a certificate that the client checks, and an end that both sides announce.


def certificate():
    directory = tempfile.mkdtemp()
    key, cert = os.path.join(directory, "key"), os.path.join(directory, "cert")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", key, "-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(command, check=True, capture_output=True)
    return key, cert


def tls_server(listener):
    key, cert = certificate()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    pem = open(cert, "rb").read()

    def serve(plain):
        # The certificate goes ahead, so that the client can check it.
        plain.sendall(len(pem).to_bytes(4, "big") + pem)
        stream = context.wrap_socket(plain, server_side=True)
        got = exactly(stream, len(LARGE))
        stream.sendall(LARGE[::-1])
        stream.unwrap().close()
        report("tls", f"{digest(got)}, closed cleanly")

    accept(listener, serve)


def tls_client(port):
    plain = socket.create_connection((HOST, port))
    pem = exactly(plain, int.from_bytes(exactly(plain, 4), "big"))
    context = ssl.create_default_context(cadata=pem.decode())
    stream = context.wrap_socket(plain, server_hostname="localhost")
    stream.sendall(LARGE)
    got = exactly(stream, len(LARGE))
    end, version = stream.recv(1), stream.version()
    stream.unwrap()
    return f"{version} {digest(got)}, end {end!r}"


# gRPC: HTTP/2 without TLS; a stream in each direction.


def grpc_server(port):
    import grpc

    def chat(requests, _context):
        seen = 0
        for request in requests:
            seen += 1
            yield request[::-1]
        report("grpc", f"{seen} messages")

    handler = grpc.stream_stream_rpc_method_handler(chat)
    generic = grpc.method_handlers_generic_handler("Test", {"Chat": handler})
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((generic,))
    server.add_insecure_port(f"{HOST}:{port}")
    server.start()
    return server


def grpc_client(port):
    import grpc

    with grpc.insecure_channel(f"{HOST}:{port}") as channel:
        chat = channel.stream_stream("/Test/Chat")
        answers = list(chat(LARGE[: 1 + 997 * n] for n in range(50)))
    return f"{len(answers)} messages, {digest(b''.join(answers))}"


# WebSocket: text, binary, ping, and a close with a reason.


def websocket_server(port):
    from websockets.sync.server import serve

    def echo(connection):
        seen = 0
        for message in connection:
            seen += len(message)
            connection.send(message)
        report("websocket", f"{seen} characters, closed with {connection.close_code} {connection.close_reason}")

    server = serve(echo, HOST, port)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def websocket_client(port):
    from websockets.sync.client import connect

    got = []
    with connect(f"ws://{HOST}:{port}/") as connection:
        for number in range(20):
            connection.send(f"message {number}")
            got.append(connection.recv())
        connection.send(LARGE[:300_000])
        got.append(digest(connection.recv()))
        pong = connection.ping().wait(60)
        connection.close(1000, "done")
    return f"{got[0]} … {got[-2]}, {got[-1]}, pong {pong}, closed with {connection.close_code}"


# HTTP: server-sent events with pauses, the answers of a model, and many small requests over few connections.


class Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    name = "http"

    def log_message(self, *_):
        pass

    def chunk(self, text):
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def stream(self, events):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            self.chunk(f"data: {event}\n\n")
            time.sleep(0.02)
        self.wfile.write(b"0\r\n\r\n")

    def do_GET(self):
        if self.path == "/events":
            self.stream(f"event {number}" for number in range(20))
            report("sse", "20 events")
            return
        body = self.path.encode() * 100
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if self.path == "/last":
            report("pool", "the last request")

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        common = {"id": "1", "created": 1, "model": request["model"]}

        def event(word):
            choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
            return json.dumps({**common, "object": "chat.completion.chunk", "choices": [choice]})

        prompt = request["messages"][0]["content"]
        self.stream([*(event(word) for word in prompt.split()), "[DONE]"])
        report("openai", f"a prompt of {len(prompt)} characters")


def http_server(listener):
    server = ThreadingHTTPServer(listener.getsockname(), Http, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    threading.Thread(target=server.serve_forever, daemon=True).start()


def sse_client(port):
    import aiohttp

    async def read():
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{HOST}:{port}/events") as response:
                return [line.decode().strip() async for line in response.content if line.strip()]

    events = asyncio.run(read())
    return f"{len(events)} events, {events[0]} … {events[-1]}"


def pool_client(port):
    import aiohttp

    async def read():
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=5)) as session:

            async def get(path):
                async with session.get(f"http://{HOST}:{port}{path}") as response:
                    return await response.read()

            bodies = await asyncio.gather(*(get(f"/{number}") for number in range(60)))
            return [*bodies, await get("/last")]

    bodies = asyncio.run(read())
    return f"{len(bodies)} answers, {digest(b''.join(bodies))}"


def openai_client(port):
    from openai import OpenAI

    client = OpenAI(base_url=f"http://{HOST}:{port}/v1", api_key="none", max_retries=0, timeout=60)
    prompt = " ".join(f"word{number}" for number in range(40))
    chunks = client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": prompt}], stream=True
    )
    words = [chunk.choices[0].delta.content for chunk in chunks]
    return f"{len(words)} chunks, complete: {words == prompt.split()}"


def accept(listener, serve):
    def loop():
        while True:
            stream, _ = listener.accept()
            threading.Thread(target=serve, args=(stream,), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()


def bound():
    listener = socket.socket()
    listener.bind((HOST, 0))
    listener.listen(64)
    return listener


def free_port():
    with bound() as listener:
        return listener.getsockname()[1]


def serve():
    tls, http, grpc_port, websocket_port = bound(), bound(), free_port(), free_port()
    tls_server(tls)
    http_server(http)
    keep = grpc_server(grpc_port)
    websocket_server(websocket_port)
    ports = {"tls": tls.getsockname()[1], "grpc": grpc_port, "websocket": websocket_port}
    ports.update(dict.fromkeys(["sse", "pool", "openai"], http.getsockname()[1]))
    for name, port in ports.items():
        report(name, port)
    report("", "")
    # Until the test closes its end.
    sys.stdin.read()
    del keep


if sys.argv[1] == "serve":
    serve()
else:
    print(globals()[f"{sys.argv[1]}_client"](int(sys.argv[2])))
