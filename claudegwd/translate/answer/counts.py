"""Token counts: from Anthropic's to OpenAI's."""

from dataclasses import replace

from claudegwd.claude_cli.events import RawUsage
from claudegwd.translate.answer.outputs import TokenCount

# The usual rule of thumb for English, for the one case without counts: when we cut the answer ourselves.
_BYTES_PER_TOKEN = 4


def count_tokens(head: RawUsage, last: RawUsage) -> TokenCount:
    """The counts of a whole message: those at its end if given, else those at its start. Some upstreams repeat those of
    the prompt as zeros at the end, which the CLI ignores as well (observed on 2.1.332)."""

    def of(name: str) -> int:
        return int(getattr(last, name) or getattr(head, name) or 0)

    cached = of("cache_read_input_tokens")
    written = of("cache_creation_input_tokens")
    reasoning = (last.output_tokens_details or {}).get("thinking_tokens")
    return TokenCount(
        prompt=of("input_tokens") + cached + written,
        completion=(last.output_tokens if last.output_tokens is not None else head.output_tokens) or 0,
        cached=cached,
        reasoning=reasoning if isinstance(reasoning, int) else 0,
        written=written,
    )


def count_cut(head: RawUsage, text_bytes: int) -> TokenCount:
    """The counts of an answer that was cut before its end, and so before its counts: the completion is estimated."""
    estimated = RawUsage(output_tokens=max(head.output_tokens or 0, -(-text_bytes // _BYTES_PER_TOKEN)))
    return replace(count_tokens(head, estimated), estimated=True)
