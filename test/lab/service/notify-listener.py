"""A service manager's ear: prints every assignment that arrives at a Unix datagram socket, one a line, with its time.

Python because Node has no Unix datagram sockets. Usage: notify-listener.py PATH
"""
import os
import socket
import sys
import time

ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ear.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
print("listening", flush=True)
while True:
    text = ear.recv(65536).decode()
    for line in text.splitlines():
        print(f"{time.time() * 1000:.1f} {line}", flush=True)
