"""A CoAP server on aiocoap, for tests, over UDP and TCP: /value can be read, written and observed.

Usage: aiocoap_site.py PORT      (on 127.0.0.1, the same port for both)
Prints "listening".
"""

import asyncio
import sys

from aiocoap import CHANGED, Context, Message, resource


class Value(resource.ObservableResource):
    """Bytes."""

    value = b"first"

    async def render_get(self, request):
        return Message(payload=self.value)

    async def render_put(self, request):
        self.value = request.payload
        self.updated_state()
        return Message(code=CHANGED)


async def main():
    site = resource.Site()
    site.add_resource(["value"], Value())
    bind = ("127.0.0.1", int(sys.argv[1]))
    await Context.create_server_context(site, bind=bind, transports=["udp6", "tcpserver"])
    print("listening", flush=True)
    await asyncio.get_running_loop().create_future()


asyncio.run(main())
