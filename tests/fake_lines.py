"""The lines that the fake CLI writes: shapes, key order and lengths of those of the real CLI 2.1.330.

Only the standard library's fast half is imported: the fake's whole start is part of what a benchmark measures.
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = "9.9.9"
MODELS = ("default", "sonnet", "opus", "haiku")
# The real answer to `initialize` has 17 KB, `system/init` 2.5 KB and `result` 2.1 KB; so have these.
COMMANDS = [{"name": f"command-{i}", "description": "x" * 200, "argumentHint": ""} for i in range(60)]
PADDING = {"init": "x" * 1000, "result": "x" * 1200}
INPUT = {"input_tokens": 10, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}

_dumps = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


class Lines:
    """Writes lines to stdout. It knows the session and the message under way, and nothing of what is asked."""

    def __init__(self) -> None:
        self.model = "fake"
        self.tools: list[str] = []
        self._serial = 0
        self._messages = 0
        self._message_id = ""
        self.session = self.uuid()

    def uuid(self) -> str:
        self._serial += 1
        return f"{os.getpid():08x}-0000-4000-8000-{self._serial:012x}"

    def raw(self, data: bytes) -> None:
        while data:
            data = data[os.write(1, data) :]

    def write(self, value: dict[str, Any]) -> None:
        self.raw(_dumps(value).encode("utf-8", "surrogatepass") + b"\n")

    def system(self, subtype: str, **more: Any) -> None:
        self.write({"type": "system", "subtype": subtype, **more, "session_id": self.session, "uuid": self.uuid()})

    def init(self) -> None:
        names = [command["name"] for command in COMMANDS]
        state = {"cwd": "/", "tools": self.tools, "mcp_servers": [], "model": self.model, "slash_commands": names}
        self.system("init", **state, claude_code_version=VERSION, padding=PADDING["init"])

    def respond(self, request_id: str, response: dict[str, Any] | None = None) -> None:
        body: dict[str, Any] = {"subtype": "success", "request_id": request_id}
        if response is not None:
            body["response"] = response
        self.write({"type": "control_response", "response": body})

    def initialized(self, request_id: str) -> None:
        abilities = {
            "supportsEffort": True,
            "supportedEffortLevels": ["low", "medium", "high", "xhigh", "max"],
            "supportsAdaptiveThinking": True,
            "supportsThinkingOff": False,
        }
        models = [{"value": m, "resolvedModel": f"claude-{m}-9", "displayName": m, **abilities} for m in MODELS]
        account = {"tokenSource": "none", "apiProvider": "firstParty"}
        response = {"commands": COMMANDS, "models": models, "account": account, "pid": os.getpid()}
        self.respond(request_id, {**response, "claude_code_version": VERSION})

    def result(self, **more: Any) -> None:
        usage = {**INPUT, "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 0}}
        head = {"duration_api_ms": 1, "stop_reason": "end_turn", "session_id": self.session, "total_cost_usd": 0}
        middle = {"usage": usage, "modelUsage": {}, "permission_denials": [], "padding": PADDING["result"]}
        end = {"terminal_reason": "completed", "is_error": False, "num_turns": 1, "subtype": "success", "result": ""}
        if more.get("num_turns") == 0:  # an acknowledgement: nothing was asked, so nothing has ended
            del end["terminal_reason"]
        # The real line too has its type near the end.
        self.write({**head, **middle, **end, "type": "result", "duration_ms": 1, "uuid": self.uuid(), **more})

    def begin(self) -> None:
        self._messages += 1
        self._message_id = f"msg_{self._messages:024d}"
        self.system("status", status="requesting")

    def event(self, event: dict[str, Any]) -> None:
        head = {"type": "stream_event", "event": event, "session_id": self.session, "parent_tool_use_id": None}
        self.write({**head, "uuid": self.uuid(), "api_message_id": self._message_id})

    def message_start(self) -> None:
        message = {"id": self._message_id, "type": "message", "role": "assistant", "model": self.model, "content": []}
        usage = {**INPUT, "output_tokens": 1}
        ends = {"stop_reason": None, "stop_sequence": None, "usage": usage}
        self.event({"type": "message_start", "message": {**message, **ends}})

    def block_start(self, index: int, block: dict[str, Any]) -> None:
        self.event({"type": "content_block_start", "index": index, "content_block": block})

    def delta(self, index: int, delta: dict[str, Any]) -> None:
        self.event({"type": "content_block_delta", "index": index, "delta": delta})

    def block_stop(self, index: int, block: dict[str, Any]) -> None:
        """The whole block comes once more as an assistant line just before its end."""
        self.assistant(block)
        self.event({"type": "content_block_stop", "index": index})

    def message_end(self, reason: str) -> None:
        delta = {"stop_reason": reason, "stop_sequence": None}
        self.event({"type": "message_delta", "delta": delta, "usage": {**INPUT, "output_tokens": 5}})
        self.event({"type": "message_stop"})

    def assistant(self, block: dict[str, Any], **more: Any) -> None:
        message = {"id": self._message_id, "type": "message", "role": "assistant", "model": self.model}
        ends = {"content": [block], "stop_reason": None, "usage": {**INPUT, "output_tokens": 1}}
        head = {"type": "assistant", "message": {**message, **ends}, "parent_tool_use_id": None}
        self.write({**head, "session_id": self.session, "uuid": self.uuid(), **more})

    def failure(self, status: int, error: str, error_type: str) -> None:
        fields = {"api_error_status": status, "api_error_type": error_type}
        self.assistant({"type": "text", "text": "API Error"}, error=error, is_api_error_message=True, **fields)
        self.result(is_error=True, terminal_reason="api_error", **fields)

    def tool_call(self, server: str, tool: str, call_id: str, number: int) -> str:
        """Ask our host to run the tool; the id under which it will answer."""
        meta = {"claudecode/toolUseId": call_id, "progressToken": number}
        params = {"name": tool, "arguments": {}, "_meta": meta}
        message = {"method": "tools/call", "params": params, "jsonrpc": "2.0", "id": number}
        request_id = self.uuid()
        request = {"subtype": "mcp_message", "server_name": server, "message": message}
        self.write({"type": "control_request", "request_id": request_id, "request": request})
        return request_id

    def user(self, content: Any, **more: Any) -> None:
        message = {"role": "user", "content": content}
        self.write({"type": "user", "message": message, "parent_tool_use_id": None, "session_id": self.session, **more})

    def cleared(self) -> None:
        self.write({"type": "conversation_reset", "trigger": "clear", "session_id": self.session, "uuid": self.uuid()})
        self.session = self.uuid()
        self.init()
        self.result(num_turns=0, local_command="clear")
