"""Starts the double: one line of JSON with its address when it is ready, and an end on SIGTERM."""

import argparse
import asyncio
import json
import os
import signal
import sys

from aiohttp import web

from tests.doubles.instagram.control import Control
from tests.doubles.instagram.graph import Graph
from tests.doubles.instagram.webhooks import App, Webhooks
from tests.doubles.instagram.world import World


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.doubles.instagram", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--app-id", default="1200000000000001")
    parser.add_argument("--app-secret", default="ig-app-secret-for-tests-0001", help="signs webhooks")
    parser.add_argument("--meta-secret", default="meta-app-secret-for-tests-0001", help="the other secret of the app")
    parser.add_argument("--callback", help="where webhooks go; none are sent without")
    parser.add_argument("--verify-token", default="verify-me")
    parser.add_argument("--seed", type=int, default=1, help="ids and chance")
    return parser.parse_args()


async def serve(given: argparse.Namespace) -> None:
    app = App(given.app_id, given.app_secret, given.meta_secret, given.callback, given.verify_token)
    world = World(given.seed)
    hooks = Webhooks(world, app)
    graph = Graph(world, app, hooks)
    control = Control(graph)
    server = web.Application(client_max_size=1 << 24)
    server.router.add_route("*", "/_control/{verb:.*}", control.handle)
    server.router.add_get("/_cdn/{user_id}.jpg", control.picture)
    server.router.add_route("*", "/{path:.*}", graph.handle)
    runner = web.AppRunner(server, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", given.port).start()
    await hooks.start()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    ready = {"url": f"http://127.0.0.1:{runner.addresses[0][1]}", "port": runner.addresses[0][1], "pid": os.getpid()}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await stopping.wait()
    await hooks.stop()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(arguments()))
