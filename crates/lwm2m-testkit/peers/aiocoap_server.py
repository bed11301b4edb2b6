"""A minimal LwM2M server on aiocoap, for tests: registers one device, then does to it what standard input says.

Usage: aiocoap_server.py PORT      (on 127.0.0.1)
Prints "listening", then one line per registration event ("registered QUERY PAYLOAD", "updated QUERY", "deregistered"),
per answer ("answer CODE CONTENT_FORMAT HEX") and per notification ("notification CODE HEX").
Commands: get, put, post, delete or observe PATH[?QUERY], then any of accept=NUMBER, format=NUMBER, payload=HEX;
forget PATH (ends an observation: the next notification is reset); lose / (the next Update is answered 4.04).
"""

import asyncio
import sys

import aiocoap
from aiocoap import Code, Message, resource

METHODS = {"get": Code.GET, "put": Code.PUT, "post": Code.POST, "delete": Code.DELETE}


def say(*words):
    print(*words, flush=True)


class Registrations(resource.Resource):
    """The whole site: /rd takes any registration; the last one is the device."""

    device = None
    lost = False

    async def render_post(self, request):
        query = "&".join(request.opt.uri_query)
        if request.opt.uri_path != ("rd",):
            if self.lost:
                self.lost = False
                return Message(code=Code.NOT_FOUND)
            say("updated", query)
            return Message(code=Code.CHANGED)
        self.device = request.remote
        say("registered", query, request.payload.decode())
        return Message(code=Code.CREATED, location_path=("rd", "7"))

    async def render_delete(self, request):
        say("deregistered")
        return Message(code=Code.DELETED)


class Driver:
    """Carries out the commands, from the socket that the device registered at."""

    def __init__(self, context, registrations):
        self.context = context
        self.registrations = registrations
        self.observations = {}

    async def run(self, verb, path, arguments):
        if verb == "forget":
            request, _ = self.observations.pop(path)
            request.observation.cancel()
            say("answer forgotten")
            return
        if verb == "lose":
            self.registrations.lost = True
            say("answer lost")
            return
        target, _, query = path.partition("?")
        message = Message(code=METHODS.get(verb, Code.GET), uri_path=[it for it in target.split("/") if it])
        message.opt.uri_query = [it for it in query.split("&") if it]
        message.remote = self.registrations.device
        options = dict(argument.split("=", 1) for argument in arguments)
        if "accept" in options:
            message.opt.accept = int(options["accept"])
        if "format" in options:
            message.opt.content_format = int(options["format"])
        message.payload = bytes.fromhex(options.get("payload", ""))
        if verb == "observe":
            message.opt.observe = 0
        request = self.context.request(message)
        if verb == "observe":
            self.observations[path] = (request, asyncio.create_task(report(request.observation)))
        response = await asyncio.wait_for(request.response, 5)
        say("answer", response.code.dotted, format_of(response), response.payload.hex())


async def report(observation):
    async for notification in observation:
        say("notification", notification.code.dotted, notification.payload.hex())


def format_of(message):
    number = message.opt.content_format
    return "none" if number is None else int(number)


async def main(port):
    registrations = Registrations()
    context = await aiocoap.Context.create_server_context(
        registrations, bind=("::ffff:127.0.0.1", port), transports=["udp6"]
    )
    driver = Driver(context, registrations)
    say("listening")
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        verb, path, *arguments = line.split()
        try:
            await driver.run(verb, path, arguments)
        except Exception as error:  # a test sees the line and fails with it
            say("failed", type(error).__name__, error)
    await context.shutdown()


asyncio.run(main(int(sys.argv[1])))
