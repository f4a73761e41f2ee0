"""A service manager's ear: prints every assignment that arrives at a Unix datagram socket, one a line, with its time.

Python because Node has no Unix datagram sockets. Usage: notify-listener.py PATH
"""
import os
import socket
import sys
import time

ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
path = sys.argv[1]
if path.startswith("@"):  # the abstract namespace
    ear.bind("\0" + path[1:])
else:
    ear.bind(path)
    os.chmod(path, 0o666)
print("listening", flush=True)
while True:
    text = ear.recv(65536).decode()
    for line in text.splitlines():
        print(f"{time.time() * 1000:.1f} {line}", flush=True)
