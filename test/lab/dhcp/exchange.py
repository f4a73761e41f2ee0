"""Says one DHCP message on a node and writes down what servers answer, as real clients would send and hear it.

  exchange.py frame INTERFACE SECONDS HEX          a whole frame, from a raw socket: what a client without an address does
  exchange.py udp INTERFACE SECONDS HEX SERVER     an IPv4 message to one server, from UDP port 68 of this machine
  exchange.py udp6 INTERFACE SECONDS HEX           an IPv6 message to all servers, from UDP port 546

A line for each answer: microseconds since the question, the Ethernet source ("-" where a socket does not tell it), the
server's address, the message in hexadecimal.
"""
import select
import socket
import struct
import sys
import time

ETH_P_ALL = 3
PACKET_OUTGOING = 4


def heard(started_ns, mac, server, message):
    us = (time.monotonic_ns() - started_ns) // 1000
    print(us, mac, server, message.hex(), flush=True)


def until(seconds):
    """Ends the wait that is asked for again and again."""
    end = time.monotonic() + seconds
    return lambda: max(0.0, end - time.monotonic())


def wait(sock, left):
    return select.select([sock], [], [], left())[0] != []


def raw(interface, seconds, frame):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    sock.bind((interface, 0))
    started_ns = time.monotonic_ns()
    sock.send(frame)
    left = until(seconds)
    while wait(sock, left):
        data, address = sock.recvfrom(2048)
        if address[2] == PACKET_OUTGOING or data[12:14] != b"\x08\x00" or data[23] != socket.IPPROTO_UDP:
            continue
        start = 14 + (data[14] & 15) * 4
        ports = struct.unpack_from("!HH", data, start)
        if ports == (67, 68):
            heard(started_ns, data[6:12].hex(":"), socket.inet_ntoa(data[26:30]), data[start + 8 :])


def udp(family, interface, seconds, message, port, to):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    sock.bind(("", port))
    started_ns = time.monotonic_ns()
    sock.sendto(message, to)
    left = until(seconds)
    while wait(sock, left):
        data, address = sock.recvfrom(2048)
        heard(started_ns, "-", address[0], data)


kind, interface, seconds, content = sys.argv[1:5]
if kind == "frame":
    raw(interface, float(seconds), bytes.fromhex(content))
elif kind == "udp":
    udp(socket.AF_INET, interface, float(seconds), bytes.fromhex(content), 68, (sys.argv[5], 67))
else:
    scope = socket.if_nametoindex(interface)
    udp(socket.AF_INET6, interface, float(seconds), bytes.fromhex(content), 546, ("ff02::1:2", 547, 0, scope))
