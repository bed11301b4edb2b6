"""A LwM2M 1.1 device on aiocoap, for tests. It registers without `ct`, and has text and SenML JSON.

Usage: aiocoap_device.py SERVER_PORT      (on 127.0.0.1)
Prints "registered". /3/0/0 and /3/0/14 are texts, /1/0 takes a Write of several values. /3/0/1 answers with the
success of another operation.
"""

import asyncio
import json
import sys

from aiocoap import (
    BAD_REQUEST, CHANGED, CONTENT, DELETED, NOT_ACCEPTABLE, POST,
    UNSUPPORTED_CONTENT_FORMAT, VALID, Context, Message, resource,
)

TEXT, SENML_JSON = 0, 110


class Device(resource.Resource, resource.PathCapable):
    """All paths, so that formats are checked in one place."""

    values = {"/3/0/0": "aiocoap", "/3/0/14": "+00:00", "/1/0/2": 1, "/1/0/3": 60}

    async def render_get(self, request):
        path = "/" + "/".join(request.opt.uri_path)
        if path == "/3/0/1":
            return Message(code=VALID)
        accept = request.opt.accept
        below = {p: v for p, v in self.values.items() if (p + "/").startswith(path + "/")}
        if accept == TEXT and path in below:
            return Message(code=CONTENT, content_format=TEXT, payload=str(below[path]).encode())
        if accept not in (None, SENML_JSON):
            return Message(code=NOT_ACCEPTABLE)
        return Message(code=CONTENT, content_format=SENML_JSON, payload=pack(below))

    async def render_fetch(self, request):
        if request.opt.content_format != SENML_JSON:
            return Message(code=UNSUPPORTED_CONTENT_FORMAT)
        if request.opt.accept not in (None, SENML_JSON):
            return Message(code=NOT_ACCEPTABLE)
        names = [record["n"] for record in json.loads(request.payload)]
        found = {name: self.values[name] for name in names if name in self.values}
        return Message(code=CONTENT, content_format=SENML_JSON, payload=pack(found))

    async def write(self, request):
        path = "/" + "/".join(request.opt.uri_path)
        if path == "/3/0/1":
            return Message(code=CONTENT)
        if request.opt.content_format == TEXT and path in self.values:
            self.values[path] = request.payload.decode()
            return Message(code=CHANGED)
        if request.opt.content_format != SENML_JSON:
            return Message(code=UNSUPPORTED_CONTENT_FORMAT)
        base = ""
        for record in json.loads(request.payload):
            base = record.get("bn", base)
            name = base + record.get("n", "")
            if name not in self.values:
                return Message(code=BAD_REQUEST)
            self.values[name] = next(record[key] for key in ("v", "vs", "vb") if key in record)
        return Message(code=CHANGED)

    render_put = render_ipatch = write

    async def render_post(self, request):
        if tuple(request.opt.uri_path) == ("3", "0", "1"):
            return Message(code=DELETED)
        return await self.write(request)

    async def render_delete(self, request):
        return Message(code=CHANGED)


def pack(values):
    key = lambda value: "vs" if isinstance(value, str) else "v"
    return json.dumps([{"n": name, key(value): value} for name, value in values.items()]).encode()


async def main():
    context = await Context.create_server_context(Device(), bind=("127.0.0.1", 0))
    query = "ep=aiocoap-device&lt=300&lwm2m=1.1&b=U"
    uri = f"coap://127.0.0.1:{sys.argv[1]}/rd?{query}"
    links = b"</1/0>,</3/0>"
    answer = await context.request(Message(code=POST, uri=uri, content_format=40, payload=links)).response
    print("registered" if answer.code.is_successful() else answer.code, flush=True)
    await asyncio.get_running_loop().create_future()


asyncio.run(main())
