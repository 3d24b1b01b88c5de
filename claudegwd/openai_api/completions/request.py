"""POST /v1/completions: the older text completions, which some clients (mostly editors) still use.

Each prompt becomes a chat with one user message: `chat_requests` returns those. Source: OpenAI's
``CreateCompletionRequest``.
"""

import msgspec

from claudegwd.openai_api.bounds import Bounds
from claudegwd.openai_api.chat.request import ChatRequest
from claudegwd.openai_api.fields import Fields, cannot_honour, refuse
from claudegwd.openai_api.json_body import read_object
from claudegwd.openai_api.messages import Message, TextPart
from claudegwd.openai_api.parameters import (
    IGNORED,
    OF_ANTHROPICS_API,
    Asks,
    name_what_is_ignored,
    read_include_usage,
    read_max_tokens,
    read_n,
    read_stop,
    refuse_what_cannot_be_honoured,
    some_object,
    some_text,
)

# fmt: off
HONOURED = frozenset({
    "model", "prompt", "stream", "stream_options", "max_tokens", "max_completion_tokens", "stop", "temperature",
    "top_p", "n", "best_of", "echo", "prompt_cache_key",
})
# fmt: on
REFUSED: dict[str, tuple[Asks, str]] = {
    "suffix": (some_text, "the model cannot fill in the middle; ask for it in the prompt"),
    # Even 0 asks for the probability of the chosen token.
    "logprobs": (
        lambda body, name: body.whole(name, 0, 20) is not None,
        "the model provides no log probabilities; omit it",
    ),
    "logit_bias": (some_object, "the model's tokens cannot be biased; omit it"),
    **OF_ANTHROPICS_API,
}
KNOWN = HONOURED | REFUSED.keys()


class CompletionsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A valid request. Its answer has `n` choices for each prompt: those of the first prompt first."""

    model: str
    prompts: tuple[str, ...]
    stream: bool = False
    include_usage: bool = False
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    n: int = 1
    echo: bool = False  # each choice begins with its prompt
    prompt_cache_key: str | None = None
    ignored: tuple[str, ...] = ()

    def chat_requests(self) -> tuple[ChatRequest, ...]:
        """The chats that answer it, one for each prompt, each with `n` choices."""
        return tuple(
            ChatRequest(
                model=self.model,
                messages=(Message(role="user", content=(TextPart(prompt),)),),
                stream=self.stream,
                include_usage=self.include_usage,
                max_tokens=self.max_tokens,
                stop=self.stop,
                temperature=self.temperature,
                top_p=self.top_p,
                n=self.n,
                prompt_cache_key=self.prompt_cache_key,
            )
            for prompt in self.prompts
        )


def parse_completions_request(body: bytes, bounds: Bounds) -> CompletionsRequest:
    """Read and check the body of one request; raises a CallerError with the path of the field at fault."""
    fields = Fields(read_object(body, bounds))
    model = fields.needed_text("model", longest=bounds.max_model_chars)
    n = read_n(fields, bounds)
    prompts = _prompts(fields, bounds)
    if len(prompts) * n > bounds.max_n:
        refuse("n" if n > 1 else "prompt", f"prompts times n must be at most {bounds.max_n}")
    # best_of generates more answers than wanted and picks the likeliest: impossible without probabilities.
    if (fields.whole("best_of", 0, 20) or 1) > n:
        cannot_honour("best_of", "the model provides no log probabilities to choose by; use n")
    refuse_what_cannot_be_honoured(fields, REFUSED)
    return CompletionsRequest(
        model=model,
        prompts=prompts,
        stream=fields.flag("stream") or False,
        include_usage=read_include_usage(fields),
        # OpenAI's default of 16 tokens suits its models of then; nobody who omits it wants 16.
        max_tokens=read_max_tokens(fields),
        stop=read_stop(fields),
        temperature=fields.number("temperature", 0, 2),
        top_p=fields.number("top_p", 0, 1),
        n=n,
        echo=fields.flag("echo") or False,
        prompt_cache_key=fields.text("prompt_cache_key", longest=bounds.max_id_chars),
        ignored=name_what_is_ignored(fields, IGNORED, KNOWN),
    )


def _prompts(fields: Fields, bounds: Bounds) -> tuple[str, ...]:
    value = fields.get("prompt")
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not value:
        refuse("prompt", "it must be a string or a list of strings")
    if isinstance(value[0], int | list):
        cannot_honour("prompt", "the model uses another tokenizer; send text instead of tokens")
    if len(value) > bounds.max_n:
        refuse("prompt", f"it must contain at most {bounds.max_n} prompts")
    for index, prompt in enumerate(value):
        if not isinstance(prompt, str):
            refuse(f"prompt[{index}]", "it must be a string")
        if not prompt.strip():
            refuse("prompt" if len(value) == 1 else f"prompt[{index}]", "it is empty; send a text to continue")
    return tuple(value)
