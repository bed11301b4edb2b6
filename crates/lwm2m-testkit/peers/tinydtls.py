"""A DTLS endpoint of tinydtls: tinydtls.py server|client PORT psk=IDENTITY:HEX

A server on that port of loopback sends back what it gets. A client of a server there sends every line of its input.
It says `listening PORT`, `connected`, `data TEXT` and `alert LEVEL CODE`. Its only suite with keys is
TLS_PSK_WITH_AES_128_CCM_8: the Python module hands out no raw public keys.
"""

import select
import socket
import sys

from DTLSSocket import dtls

HOST = "::ffff:127.0.0.1"
CONNECTED = 0x1DE


class Endpoint:
    def __init__(self, is_server, port, identity, key):
        self.is_server = is_server
        self.server = (HOST, port, 0, 0)
        self.socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.bind((HOST, port if is_server else 0))
        self.session = None
        self.waiting = []
        self.dtls = dtls.DTLS(read=self.read, write=self.write, event=self.event, pskId=identity, pskStore={identity: key})

    def read(self, address, data):
        print("data", data.decode().strip(), flush=True)
        if self.is_server:
            self.dtls.write(dtls.Session(address[0], address[1], 0, 0), data)
        return len(data)

    def write(self, address, data):
        return self.socket.sendto(data, address)

    def event(self, level, code):
        if code == CONNECTED:
            print("connected", flush=True)
            for line in self.waiting:
                self.dtls.write(self.session, line)
            self.waiting = []
        elif level:
            print("alert", level, code, flush=True)

    def say(self, line):
        if self.session is None:
            self.waiting.append(line)
            self.session = self.dtls.connect(*self.server)
        else:
            self.dtls.write(self.session, line)

    def run(self):
        print("listening", self.socket.getsockname()[1], flush=True)
        while True:
            readable, _, _ = select.select([self.socket, sys.stdin], [], [], 1)
            if self.socket in readable:
                data, address = self.socket.recvfrom(2048)
                self.dtls.handleMessageAddr(address[0], address[1], data)
            if sys.stdin in readable:
                line = sys.stdin.buffer.raw.readline()
                if not line:
                    return
                self.say(line.strip())
            self.dtls.checkRetransmit()


def main():
    role, port, security = sys.argv[1:4]
    identity, key = security.removeprefix("psk=").rsplit(":", 1)
    dtls.setLogLevel(dtls.DTLS_LOG_EMERG)
    Endpoint(role == "server", int(port), identity.encode(), bytes.fromhex(key)).run()


main()
