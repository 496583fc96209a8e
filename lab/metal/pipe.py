"""pipe.py ADDRESS PORT | pipe.py SOCKET: joins the connection that is its standard input with another one.

QEMU starts it for each connection that a machine makes. Standard library only, started with -S: it has to be quick.
"""

import selectors
import socket
import sys


def main(target: list[str]) -> None:
    """Copy in both directions until both have ended, or one breaks."""
    near = socket.socket(fileno=0)
    if len(target) == 1:
        far = socket.socket(socket.AF_UNIX)
        far.connect(target[0])
    else:
        far = socket.create_connection((target[0], int(target[1])))
    selector = selectors.DefaultSelector()
    selector.register(near, selectors.EVENT_READ, far)
    selector.register(far, selectors.EVENT_READ, near)
    while selector.get_map():
        for key, _ in selector.select():
            source, sink = key.fileobj, key.data
            assert isinstance(source, socket.socket)  # noqa: S101  registered above
            data = source.recv(65536)
            if data:
                sink.sendall(data)
                continue
            selector.unregister(source)
            if sink is near:  # QEMU's side does not tell an end of one direction: the far end went, so all is over
                return
            sink.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError:
        sys.exit(1)
