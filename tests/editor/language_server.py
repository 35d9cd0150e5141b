"""A small client of the YAML language server: JSON-RPC over its standard input and output."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

PROGRAM = Path(__file__).with_name("node_modules") / "yaml-language-server" / "bin" / "yaml-language-server"
PATIENCE = 60  # seconds for one answer


class LanguageServer:
    """Opens texts as files of one schema, and asks about places in them; lines and columns count from 0."""

    def __init__(self, schema: Path) -> None:
        self.settings = {"yaml": {"schemas": {schema.as_uri(): "*.yaml"}, "validate": True, "hover": True, "completion": True}}
        self.process = subprocess.Popen(["node", str(PROGRAM), "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.messages: Queue[dict[str, Any]] = Queue()
        self.sent = 0
        Thread(target=self._listen, daemon=True).start()
        hover = {"contentFormat": ["markdown"]}
        completion = {"completionItem": {"documentationFormat": ["markdown"]}}
        capabilities = {"workspace": {"configuration": True}, "textDocument": {"hover": hover, "completion": completion}}
        self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": capabilities})
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": self.settings})

    def close(self) -> None:
        self._ask("shutdown", None)
        self._tell("exit", None)
        self.process.wait(PATIENCE)

    def diagnostics(self, name: str, text: str) -> list[dict[str, Any]]:
        """Opens a text, and gives what the server says about it."""
        document = {"uri": _uri(name), "languageId": "yaml", "version": 1, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        while True:
            message = self._next()
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == _uri(name):
                found: list[dict[str, Any]] = message["params"]["diagnostics"]
                return found

    def hover(self, name: str, line: int, column: int) -> str:
        answer = self._ask("textDocument/hover", _place(name, line, column))
        return answer["contents"]["value"] if answer else ""

    def completion(self, name: str, line: int, column: int) -> dict[str, dict[str, Any]]:
        answer = self._ask("textDocument/completion", _place(name, line, column))
        return {item["label"]: item for item in answer["items"]}

    def _ask(self, method: str, params: Any) -> Any:
        self.sent += 1
        self._write({"id": self.sent, "method": method, "params": params})
        while True:
            message = self._next()
            if message.get("id") == self.sent and "method" not in message:
                return message["result"]

    def _tell(self, method: str, params: Any) -> None:
        self._write({"method": method, "params": params})

    def _next(self) -> dict[str, Any]:
        """The next message; what the server asks in between is answered."""
        message = self.messages.get(timeout=PATIENCE)
        if message.get("method") == "workspace/configuration":
            sections = [item.get("section") for item in message["params"]["items"]]
            self._write({"id": message["id"], "result": [self.settings.get(section) for section in sections]})
        elif "method" in message and "id" in message:
            self._write({"id": message["id"], "result": None})
        return message

    def _write(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self.process.stdin.flush()

    def _listen(self) -> None:
        stream = self.process.stdout
        assert stream
        while line := stream.readline():
            length = 0
            while line.strip():
                key, _, value = line.decode().partition(":")
                length = int(value) if key.lower() == "content-length" else length
                line = stream.readline()
            self.messages.put(json.loads(stream.read(length)))


def _uri(name: str) -> str:
    return f"file:///specs/{name}"


def _place(name: str, line: int, column: int) -> dict[str, Any]:
    return {"textDocument": {"uri": _uri(name)}, "position": {"line": line, "character": column}}
