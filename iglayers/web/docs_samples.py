"""One call as a curl command, as Python and as Node, from the operation's examples. Standard libraries only."""

import json
import shlex
from http import HTTPMethod
from pprint import pformat

from iglayers.web.openapi.document import path_example
from iglayers.web.openapi.operation import Operation

LANGUAGES = {"curl": "curl", "python": "Python", "node": "Node"}


def samples(operation: Operation) -> dict[str, str]:
    """By language. Address and key come from IGLAYERS_URL and IGLAYERS_API_KEY."""
    return {"curl": _curl(operation), "python": _python(operation), "node": _node(operation)}


def _curl(operation: Operation) -> str:
    lines = [f'"$IGLAYERS_URL{path_example(operation)}"']
    if operation.method != HTTPMethod.GET:
        lines[0] = f"-X {operation.method} {lines[0]}"
    if operation.scope is not None:
        lines.append('-H "Authorization: Bearer $IGLAYERS_API_KEY"')
    if media := _media(operation):
        lines.append(f'-H "Content-Type: {media}"')
        lines.append(f"--data-binary {shlex.quote(_body(operation))}")
    return "curl " + " \\\n  ".join(lines)


def _python(operation: Operation) -> str:
    names, headers = ['url = os.environ["IGLAYERS_URL"]'], list[str]()
    if operation.scope is not None:
        names.append('key = os.environ["IGLAYERS_API_KEY"]')
        headers.append('"Authorization": f"Bearer {key}"')
    if media := _media(operation):
        headers.append(f'"Content-Type": "{media}"')
    arguments = [f'url + "{path_example(operation)}"', f'method="{operation.method}"']
    if headers:
        arguments.append(f"headers={{{', '.join(headers)}}}")
    if operation.body:
        arguments.append(f"data=json.dumps({_indented(_literal(operation.example), by=4)}).encode()")
    elif operation.csv:
        arguments.append(f"data={operation.csv!r}.encode()")
    answer = "json.load(answer)" if operation.answer is not None else "answer.read().decode()"
    lines = [
        "import os", "from urllib.request import Request, urlopen", "", *names,
        "request = Request(\n    " + ",\n    ".join(arguments) + ",\n)",
        "with urlopen(request) as answer:", f"    print({answer})",
    ]  # fmt: skip
    return "\n".join(["import json"] * (operation.answer is not None or operation.body is not None) + lines)


def _node(operation: Operation) -> str:
    lines = [f"method: {json.dumps(operation.method)},"]
    headers: list[str] = []
    if operation.scope is not None:
        headers.append("Authorization: `Bearer ${IGLAYERS_API_KEY}`")
    if media := _media(operation):
        headers.append(f'"Content-Type": {json.dumps(media)}')
    if headers:
        lines.append(f"headers: {{ {', '.join(headers)} }},")
    if operation.body:
        lines.append(f"body: JSON.stringify({_indented(json.dumps(operation.example, indent=2, ensure_ascii=False))}),")
    elif operation.csv:
        lines.append(f"body: {json.dumps(operation.csv)},")
    names = "IGLAYERS_URL, IGLAYERS_API_KEY" if operation.scope is not None else "IGLAYERS_URL"
    options = "\n  ".join(lines)
    shape = "json" if operation.answer is not None else "text"
    return (
        f"const {{ {names} }} = process.env;\n"
        f"const answer = await fetch(`${{IGLAYERS_URL}}{path_example(operation)}`, {{\n  {options}\n}});\n"
        f"console.log(await answer.{shape}());"
    )


def _media(operation: Operation) -> str | None:
    if operation.body:
        return "application/json"
    return "text/csv" if operation.csv else None


def _body(operation: Operation) -> str:
    return json.dumps(operation.example, indent=2, ensure_ascii=False) if operation.body else operation.csv


def _literal(tree: object) -> str:
    return pformat(tree, sort_dicts=False, width=96)


def _indented(text: str, *, by: int = 2) -> str:
    return text.replace("\n", "\n" + " " * by)
