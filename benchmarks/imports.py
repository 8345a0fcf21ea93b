"""Whether an import of a million rows holds its speed and its memory.

    .venv/bin/python benchmarks/imports.py [--rows 1000000] [--seed 1]

The file is sent to `iglayers api` and worked off by one `iglayers worker`, while the import is asked how far it is.
Beside the speed stands what a tenth of the rows cost worker and database (but for its autovacuum) in processor time,
which tells a busy machine from an import that slows down. Exit code 1 if the last tenth of the rows was read at less
than 0.8 of the first tenth's speed, by both measures, or if either process took 300 MiB or more. Needs Linux, and a
database on this machine.
"""

import argparse
import asyncio
import http.client
import json
import random
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Literal

from machine import campaign, cpu_s, describe, opened, process, server

WANTED_RATIO = 0.8
MOST_MIB = 300
POLL_S = 0.2
CATEGORIES = ("fitness", "food", "travel", "fashion", "gaming", "music")

# Rows read so far, at this moment, for so many seconds of processor time.
Progress = list[tuple[int, float, float]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    return asyncio.run(_measure(asked))


async def _measure(asked: argparse.Namespace) -> int:
    async with opened(sandbox_speed=1) as bench:
        await describe(bench)
        key, campaign_id = await campaign(bench)
        with tempfile.TemporaryFile() as file, process(bench, "api") as (api, port):
            _write(file, rows=asked.rows, seed=asked.seed)
            print(f"file          {asked.rows:,} rows, {file.tell() / (1 << 20):.0f} MiB, seed {asked.seed}")
            caller = _Caller(port, key)
            started = time.perf_counter()
            import_id = caller.send(f"/campaigns/{campaign_id}/imports", file)["id"]
            print(f"sending       {time.perf_counter() - started:.1f} s, api at most {_most_mib(api):.0f} MiB")
            with process(bench, "worker") as (worker, _):
                progress, ended = await asyncio.to_thread(
                    _follow, caller, import_id, worker.pid, await server(bench.services.db)
                )
                memory = max(_most_mib(api), _most_mib(worker))
        return _verdict(progress, ended, rows=asked.rows, memory=memory)


def _verdict(progress: Progress, ended: dict[str, Any], *, rows: int, memory: float) -> int:
    if (ended["state"], ended["accepted"]) != ("completed", rows):
        raise SystemExit(f"the import did not take all rows: {ended}")
    speeds, costs = _tenths(progress, rows, at=1), _tenths(progress, rows, at=2)
    print("tenths        " + " ".join(f"{rows / 10 / took:,.0f}" for took in speeds) + " rows/s")
    print("costs         " + " ".join(f"{took * 1e7 / rows:.0f}" for took in costs) + " µs of processor time a row")
    ratio, cost_ratio = speeds[0] / speeds[-1], costs[0] / costs[-1]
    print(f"whole         {ended['rowsPerSecond']:,} rows/s   memory {memory:.0f} MiB")
    print(f"last tenth    {ratio:.2f} of the first's speed, {cost_ratio:.2f} by processor time")
    print(f"wanted        {WANTED_RATIO} by one of them, and below {MOST_MIB} MiB")
    return 0 if max(ratio, cost_ratio) >= WANTED_RATIO and memory < MOST_MIB else 1


def _tenths(progress: Progress, rows: int, *, at: Literal[1, 2]) -> list[float]:
    """Seconds that each tenth of the rows took."""
    borders = [_when(progress, rows * tenth // 10, at=at) for tenth in range(11)]
    return [end - start for start, end in pairwise(borders)]


def _when(progress: Progress, rows: int, *, at: Literal[1, 2]) -> float:
    """When so many rows were read, on a straight line between the looks before and after."""
    before, after = next((one, two) for one, two in pairwise(progress) if two[0] >= rows)
    part = (rows - before[0]) / max(1, after[0] - before[0])
    return before[at] + (after[at] - before[at]) * part


def _write(file: IO[bytes], *, rows: int, seed: int) -> None:
    chance = random.Random(seed)
    file.write(b"instagramUsername,fullName,firstName,category,followerCount,city\r\n")
    for number in range(rows):
        name = f"{chance.choice(CATEGORIES)}.{chance.randrange(16**6):06x}_{number}"
        line = f'{name},"Creator, Number {number}",Creator{number % 997},{chance.choice(CATEGORIES)},{number},Oslo\r\n'
        file.write(line.encode())


class _Caller:
    def __init__(self, port: int, key: str) -> None:
        self._port: int = port
        self._key: str = key

    def send(self, path: str, file: IO[bytes]) -> dict[str, Any]:
        size = file.tell()
        file.seek(0)
        return self._call("POST", path, file, {"Content-Type": "text/csv", "Content-Length": str(size)}, wanted=201)

    def get(self, path: str) -> dict[str, Any]:
        return self._call("GET", path, None, {}, wanted=200)

    def _call(
        self, method: str, path: str, body: IO[bytes] | None, headers: dict[str, str], *, wanted: int
    ) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
        try:
            authorization = {"Authorization": f"Bearer {self._key}"}
            connection.request(method, f"/api/v1{path}", body, headers | authorization)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status != wanted:
            raise SystemExit(f"{answer.status} {data[:500]!r}")
        return json.loads(data)


def _follow(caller: _Caller, import_id: str, worker: int, server: int) -> tuple[Progress, dict[str, Any]]:
    progress: Progress = []
    while True:
        shown = caller.get(f"/imports/{import_id}")
        if shown["startedAt"] is None:
            progress.clear()
        progress.append((shown["rowsRead"], time.perf_counter(), cpu_s(worker) + cpu_s(server)))
        if shown["endedAt"] is not None:
            return progress, shown
        time.sleep(POLL_S)


def _most_mib(process: subprocess.Popen[bytes]) -> float:
    """The most memory that the process ever held."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    sys.exit(main())
