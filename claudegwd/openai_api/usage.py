"""An answer's usage, in OpenAI's format."""

from typing import Any

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """Tokens of one answer. `prompt_tokens` includes what was read from and written to the cache."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0  # of the prompt, read from the cache
    reasoning_tokens: int = 0  # of the completion
    written_tokens: int = 0  # of the prompt, written to the cache

    def __add__(self, other: "Usage") -> "Usage":
        """Both together: the usage of several choices."""
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.written_tokens + other.written_tokens,
        )

    def shape(self) -> dict[str, Any]:
        """OpenAI's `CompletionUsage`."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": self.reasoning_tokens,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def response_shape(self) -> dict[str, Any]:
        """OpenAI's `ResponseUsage`."""
        return {
            "input_tokens": self.prompt_tokens,
            "input_tokens_details": {
                "cached_tokens": self.cached_tokens,
                "cache_write_tokens": self.written_tokens,
            },
            "output_tokens": self.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }
