"""Observes a resource with aiocoap, for tests, and prints what it is told.

Usage: aiocoap_observe.py URI      (ends when it is killed)
"""

import asyncio
import sys

from aiocoap import GET, Context, Message


async def main():
    context = await Context.create_client_context()
    request = context.request(Message(code=GET, uri=sys.argv[1], observe=0))
    print((await request.response).payload.decode(), flush=True)
    async for notification in request.observation:
        print(notification.payload.decode(), flush=True)


asyncio.run(main())
