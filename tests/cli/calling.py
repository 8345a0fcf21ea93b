"""Commands that call the API, in this process: a new one would take half a second to begin."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from iglayers.cli.main import app


class Line:
    """A command line with a key, an address and a folder to write to."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.settings = settings

    async def __call__(self, *words: str, stdin: str = "") -> Result:
        """The command's end, whatever it is."""
        ours = {f"IGLAYERS_{name.upper()}": text for name, text in self.settings.items()}
        others = {name: None for name in os.environ if name.startswith("IGLAYERS_")}
        runner = CliRunner(env=others | ours | {"COLUMNS": "200"})
        # A thread, because the server answers on this one.
        return await asyncio.to_thread(runner.invoke, app, words, input=stdin, catch_exceptions=False)

    async def done(self, *words: str, stdin: str = "") -> Any:
        """What it printed, as JSON; it must have gone well."""
        ended = await self(*words, stdin=stdin)
        assert ended.exit_code == 0, ended.output
        return json.loads(ended.stdout)

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)
