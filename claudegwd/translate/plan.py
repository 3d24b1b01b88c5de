"""A request to the plan of a turn: all that a worker needs to serve it, whatever worker that is."""

from dataclasses import dataclass, field

from claudegwd.openai_api.chat_request import ChatRequest
from claudegwd.translate.catalogue import Model
from claudegwd.translate.history import Entry, base_digest, entries_of, system_text
from claudegwd.translate.parameters import TurnSettings, turn_settings
from claudegwd.translate.tools import ToolSet, tool_set


@dataclass(frozen=True, slots=True)
class Plan:
    """One question. `base` is the digest of all but the messages; two plans of unlike clients never share one."""

    client: str
    model: Model
    system: str
    tools: ToolSet
    entries: tuple[Entry, ...]
    base: bytes
    settings: TurnSettings
    forced_json: bool = field(default=False)

    @property
    def is_prefill(self) -> bool:
        """Whether the model is to go on from a last message of its own."""
        return self.entries[-1].role == "assistant"


def make_plan(request: ChatRequest, model: Model, client: str) -> Plan:
    """Plan a chat request. `client` keeps conversations of different client keys apart.

    Raises the CallerError that names the field at fault.
    """
    tools = tool_set(request.tools)
    system = system_text(request.messages, request.system_prompt)
    base = base_digest(client, model.cli_name, system, tools.manifest, request.project_id, request.session_id)
    return Plan(
        client=client,
        model=model,
        system=system,
        tools=tools,
        entries=entries_of(request.messages, base),
        base=base,
        settings=turn_settings(request, model),
        forced_json=request.response_format is not None,
    )
