"""Serves hello: `python -m benchmarks.service_hello falcon granian --port 8080`."""

from __future__ import annotations

import argparse

from engine.server import launch
from engine.server.settings import Settings

FRAMEWORKS = ("falcon", "starlette", "litestar")
SERVERS = ("granian", "uvicorn")


def main() -> None:
    """Serve with one worker until stopped; Granian with the very settings that the decision service has."""
    options = _options()
    application = f"benchmarks.service_hello.{options.framework}_hello:create"
    if options.server == "granian":
        launch.server(Settings(port=options.port), application).serve()
        return
    import uvicorn  # noqa: PLC0415 (only the choice measures it)

    uvicorn.run(
        application, factory=True, port=options.port, loop="uvloop", http="httptools", access_log=False,
        log_level="warning",
    )  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Answer every POST with a constant.")
    parser.add_argument("framework", choices=FRAMEWORKS)
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("--port", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
