"""The program in new processes that need not load PyTorch and Lightning, which takes a core more than ten seconds.

A process that has loaded what trainings and exports load waits at a socket. For each call it forks one that takes over
the caller's arguments, environment, folder and files, and runs the program from its entry point to its exit.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

#: What is loaded beforehand: whatever the commands load when they begin.
LOADED = (
    "text_recognizer.cli.main",
    "text_recognizer.learning.evaluation.diagnosis_report",
    "text_recognizer.learning.evaluation.report",
    "text_recognizer.learning.experiments.run",
    "text_recognizer.learning.tasks.detector",
    "text_recognizer.learning.export.export",
    "text_recognizer.recognition.text.character_recognizer",
)
HOLD, RUN = b"h", b"r"


def serve(address: str) -> None:
    """Serve calls until nobody holds the server. Returns in the process of a call, for the program to go on there."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()  # callers wait while it loads
        for name in LOADED:
            __import__(name)
        with suppress(ModuleNotFoundError):  # Lightning loads it with the first checkpoint, where it is installed
            __import__("s3fs")
        gc.freeze()  # otherwise each process would copy the memory when it looks for garbage
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        if _forked(listener):
            return
    Path(address).unlink()
    os.killpg(0, signal.SIGKILL)  # and calls whose callers are gone


def _forked(listener: socket.socket) -> bool:
    """Whether this is the process of a call; False where the last holder has left."""
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not listener:  # a holder has left
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    if len(selector.get_map()) == 1:
                        return False
                    continue
                caller, _ = listener.accept()
                kind, files, _, _ = socket.recv_fds(caller, 1, 3)
                if kind == HOLD:
                    caller.sendall(HOLD)
                    selector.register(caller, selectors.EVENT_READ)
                elif _take_over(caller, files):
                    return True


def _take_over(caller: socket.socket, files: list[int]) -> bool:
    """Fork a process for a call, and one that tells the caller how it ended. True in the process of the call."""
    if os.fork():
        caller.close()
        for file in files:
            os.close(file)
        return False
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    call = json.loads(caller.makefile("rb").read())
    process = os.fork()
    if process:
        _, status = os.waitpid(process, 0)
        caller.sendall(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(call["folder"])
    os.environ.clear()
    os.environ.update(call["environment"])
    sys.argv = ["text-recognizer", *call["arguments"]]
    return True


if __name__ == "__main__":
    serve(sys.argv[1])
    from text_recognizer.cli.main import main

    main()
