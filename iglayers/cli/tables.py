"""Output for both readers: a table on a terminal, JSON for programs."""

import sys
from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from iglayers.core.wire import json_bytes


def show(items: Sequence[object], columns: Sequence[str], *, as_json: bool) -> None:
    """Structs as JSON when piped or asked for, else as a table of some of their fields."""
    trees = [msgspec.json.decode(json_bytes(item), type=dict[str, object]) for item in items]
    if as_json or not sys.stdout.isatty():
        print(json_bytes(trees).decode())
        return
    table = Table(*columns)
    for tree in trees:
        table.add_row(*("" if tree.get(column) is None else str(tree[column]) for column in columns))
    Console().print(table)
