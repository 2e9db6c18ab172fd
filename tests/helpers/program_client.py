"""Calls the program through `program_server.py`, as if this process were the program: ADDRESS ARGUMENTS..."""

import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    socket.send_fds(server, [b"r"], [0, 1, 2])
    call = {"arguments": sys.argv[2:], "environment": dict(os.environ), "folder": os.path.realpath(os.curdir)}
    server.sendall(json.dumps(call).encode())
    server.shutdown(socket.SHUT_WR)
    with server.makefile("rb") as answer:
        code = int(answer.read() or b"1")
sys.exit(code if code >= 0 else 128 - code)  # of a signal what a shell says
