"""Request parameters as the CLI's settings: every effort, every kind of thinking, and what rules it out."""

import json
from itertools import product
from typing import Any

import pytest

from claudegwd.openai_api.errors import UnsupportedParameter
from claudegwd.translate.request.catalogue import Model
from claudegwd.translate.request.parameters import MIN_BUDGET, TurnSettings, turn_settings
from tests.claudegwd.translate.requests import chat, function

ALL = ("low", "medium", "high", "xhigh", "max")


def model(thinking: str, efforts: tuple[str, ...] = (), *, off: bool = True) -> Model:
    return Model("m", "cli-m", "M", "", efforts, thinking, off, 0)


NONE = model("none")
BUDGET = model("budget")
ADAPTIVE = model("adaptive", ("low", "medium", "high"))
ALWAYS = model("adaptive", ALL, off=False)
SIMPLE = model("adaptive")  # thinks, and takes no level

OFF = {"type": "disabled"}
SHOWN = {"type": "adaptive", "display": "summarized"}
FORCED = {"tools": [function("read")], "tool_choice": "required"}


def settings(model: Model, **fields: Any) -> TurnSettings:
    return turn_settings(chat(**fields), model)


def body(model: Model, **fields: Any) -> dict[str, Any]:
    return settings(model, **fields).body


def budget(tokens: int) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": tokens}


def test_nothing_asked_for() -> None:
    made = settings(NONE)
    assert made.env == {"CLAUDE_CODE_EXTRA_BODY": "", "CLAUDE_CODE_MAX_OUTPUT_TOKENS": ""}
    assert made.values({"ANTHROPIC_API_KEY": "sk-false-1"}) == {
        "model": "cli-m",
        "effortLevel": None,
        "env": {
            "CLAUDE_CODE_EXTRA_BODY": "",
            "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "",
            "ANTHROPIC_API_KEY": "sk-false-1",
        },
    }
    assert made.ignored == ()


def test_every_turn_sets_the_same_variables() -> None:
    # The CLI keeps what is not named.
    full = settings(BUDGET, max_tokens=5, stop="x", temperature=0.5, reasoning_effort="high", **FORCED)
    assert full.env.keys() == settings(NONE).env.keys()


class TestThinking:
    @pytest.mark.parametrize(
        ("model", "effort", "thinking", "level", "ignored"),
        [
            (NONE, None, None, None, ()),
            (NONE, "none", None, None, ()),
            *((NONE, effort, None, None, ("reasoning_effort",)) for effort in ("minimal", *ALL)),
            (BUDGET, None, OFF, None, ()),
            (BUDGET, "none", OFF, None, ()),
            (BUDGET, "minimal", budget(1024), None, ()),
            (BUDGET, "low", budget(4096), None, ()),
            (BUDGET, "medium", budget(12000), None, ()),
            (BUDGET, "high", budget(24000), None, ()),
            (BUDGET, "xhigh", budget(24000), None, ()),
            (BUDGET, "max", budget(24000), None, ()),
            (ADAPTIVE, None, SHOWN, None, ()),
            (ADAPTIVE, "none", OFF, None, ()),
            (ADAPTIVE, "minimal", SHOWN, "low", ()),
            *((ADAPTIVE, effort, SHOWN, effort, ()) for effort in ("low", "medium", "high")),
            (ALWAYS, None, SHOWN, None, ()),
            (ALWAYS, "minimal", SHOWN, "low", ()),
            *((ALWAYS, effort, SHOWN, effort, ()) for effort in ALL),
            (SIMPLE, "none", OFF, None, ()),
            (SIMPLE, "high", SHOWN, None, ("reasoning_effort",)),
        ],
    )
    def test_every_effort(
        self, model: Model, effort: str | None, thinking: object, level: str | None, ignored: tuple[str, ...]
    ) -> None:
        made = settings(model, reasoning_effort=effort)
        assert (made.body.get("thinking"), made.effort, made.ignored) == (thinking, level, ignored)

    @pytest.mark.parametrize(
        ("model", "effort", "taken"),
        [
            (ADAPTIVE, "xhigh", "none, minimal, low, medium, high"),
            (ADAPTIVE, "max", "none, minimal, low, medium, high"),
            (ALWAYS, "none", "minimal, low, medium, high, xhigh, max"),
            (model("adaptive", off=False), "none", "none"),
        ],
    )
    def test_what_a_model_does_not_take_is_refused_with_what_it_takes(
        self, model: Model, effort: str, taken: str
    ) -> None:
        with pytest.raises(UnsupportedParameter) as caught:
            settings(model, reasoning_effort=effort)
        assert caught.value.param == "reasoning_effort"
        assert caught.value.message.endswith(f"it supports {taken}")

    @pytest.mark.parametrize(
        ("limit", "thinking", "ignored"),
        [
            (1, OFF, ("reasoning_effort",)),
            (1365, OFF, ("reasoning_effort",)),
            (1366, budget(1024), ()),
            (4096, budget(3072), ()),
            (64000, budget(24000), ()),
        ],
    )
    def test_a_budget_leaves_room_for_the_answer(self, limit: int, thinking: object, ignored: tuple[str, ...]) -> None:
        made = settings(BUDGET, reasoning_effort="high", max_tokens=limit)
        assert (made.body["thinking"], made.ignored) == (thinking, ignored)

    @pytest.mark.parametrize(
        ("model", "thinking", "ignored"),
        [
            (NONE, None, ("reasoning_effort",)),
            (BUDGET, OFF, ("reasoning_effort",)),
            (ADAPTIVE, OFF, ()),
            (ALWAYS, SHOWN, ()),
        ],
    )
    def test_a_forced_tool_rules_it_out(self, model: Model, thinking: object, ignored: tuple[str, ...]) -> None:
        for choice in ("required", {"type": "function", "function": {"name": "read"}}):
            made = settings(model, reasoning_effort="low", tools=[function("read")], tool_choice=choice)
            assert (made.body.get("thinking"), made.ignored) == (thinking, ignored)

    @pytest.mark.parametrize(("model", "thinking"), [(BUDGET, OFF), (ADAPTIVE, OFF), (ALWAYS, SHOWN)])
    def test_so_does_a_prefill(self, model: Model, thinking: object) -> None:
        assert turn_settings(chat(reasoning_effort="low"), model, prefill=True).body["thinking"] == thinking

    def test_without_thinking_all_else_stays(self) -> None:
        made = settings(BUDGET, reasoning_effort="high", stop="x")
        assert made.without_thinking().body == {**made.body, "thinking": OFF}


class TestSampling:
    @pytest.mark.parametrize(
        ("fields", "sent", "ignored"),
        [
            ({"temperature": 0}, {"temperature": 0}, ()),
            ({"temperature": 0.7}, {"temperature": 0.7}, ()),
            ({"temperature": 1}, {}, ()),  # the API's default
            ({"temperature": 1.5}, {}, ("temperature",)),
            ({"top_p": 0.9}, {"top_p": 0.9}, ()),
            ({"top_p": 1}, {}, ()),
            ({"temperature": 1, "top_p": 0.9}, {"top_p": 0.9}, ()),
            ({"temperature": 0.5, "top_p": 1}, {"temperature": 0.5}, ()),
            ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}, ("top_p",)),
            ({"temperature": 2, "top_p": 0.9}, {"top_p": 0.9}, ("temperature",)),
        ],
    )
    def test_without_thinking(self, fields: Any, sent: dict[str, Any], ignored: tuple[str, ...]) -> None:
        for one in (NONE, BUDGET):
            made = settings(one, **fields)
            assert {name: value for name, value in made.body.items() if name != "thinking"} == sent
            assert made.ignored == ignored

    @pytest.mark.parametrize("one", [ADAPTIVE, ALWAYS, SIMPLE])
    def test_with_thinking_they_are_named_and_left_out(self, one: Model) -> None:
        made = settings(one, temperature=0.2, top_p=0.9)
        assert made.body == {"thinking": SHOWN}
        assert made.ignored == ("temperature", "top_p")
        assert settings(one, temperature=1, top_p=1).ignored == ()

    def test_with_a_budget_too(self) -> None:
        assert settings(BUDGET, temperature=0.2, reasoning_effort="low").ignored == ("temperature",)

    def test_with_thinking_turned_off_they_are_sent(self) -> None:
        assert body(ADAPTIVE, temperature=0.2, reasoning_effort="none")["temperature"] == 0.2


class TestTools:
    @pytest.mark.parametrize(
        ("fields", "choice"),
        [
            ({}, None),
            ({"tool_choice": "auto"}, None),
            ({"tool_choice": "none"}, {"type": "none"}),
            ({"tool_choice": "required"}, {"type": "any"}),
            ({"tool_choice": {"type": "function", "function": {"name": "read"}}}, {"type": "tool", "name": "read"}),
            ({"parallel_tool_calls": True}, None),
            ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
            (
                {"parallel_tool_calls": False, "tool_choice": "required"},
                {"type": "any", "disable_parallel_tool_use": True},
            ),
            ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
        ],
    )
    def test_choice(self, fields: Any, choice: object) -> None:
        assert body(NONE, tools=[function("read")], **fields).get("tool_choice") == choice

    def test_a_named_tool_goes_under_the_models_name(self) -> None:
        named = {"type": "function", "function": {"name": "odd.name"}}
        choice = body(NONE, tools=[function("odd.name")], tool_choice=named)["tool_choice"]
        assert choice == {"type": "tool", "name": "odd_name_919b02c3"}

    def test_without_tools_nothing_is_chosen(self) -> None:
        assert "tool_choice" not in body(NONE, tool_choice="none", parallel_tool_calls=False)

    def test_tools_of_the_history_are_not_called(self) -> None:
        assert turn_settings(chat(), ALWAYS, no_calls=True).body == {"thinking": SHOWN, "tool_choice": {"type": "none"}}

    def test_strict_tools_are_named(self) -> None:
        assert settings(NONE, tools=[function("read", strict=True)]).ignored == ("tools.strict",)
        assert settings(NONE, tools=[function("read", strict=False)]).ignored == ()


def test_stops() -> None:
    assert body(NONE, stop="END")["stop_sequences"] == ["END"]
    assert body(NONE, stop=["END", "\n", " STOP"])["stop_sequences"] == ["END", " STOP"]
    assert "stop_sequences" not in body(NONE, stop=["\n", " "])


def test_the_limit_is_left_to_the_cli_which_knows_the_models() -> None:
    made = settings(NONE, max_tokens=10, max_completion_tokens=1_000_000)
    assert made.env["CLAUDE_CODE_MAX_OUTPUT_TOKENS"] == "1000000"
    assert "max_tokens" not in made.body


def test_structured_output_keeps_the_order_of_the_schema() -> None:
    output = {"type": "json_schema", "schema": {"properties": {"b": {}, "a": {}}}}
    made = turn_settings(chat(), NONE, output=output)
    assert made.body == {"output_config": {"format": output}}
    assert made.env["CLAUDE_CODE_EXTRA_BODY"].index('"b"') < made.env["CLAUDE_CODE_EXTRA_BODY"].index('"a"')


EFFORTS = (None, "none", "minimal", *ALL)
LIMITS = (None, 1, 2000, 100_000)
TEMPERATURES = (None, 0, 0.7, 1, 2)
KINDS = (NONE, BUDGET, ADAPTIVE, ALWAYS, SIMPLE)


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("one", KINDS)
def test_the_rules_of_the_messages_api_hold_in_every_combination(one: Model, forced: bool) -> None:
    for effort, limit, temperature, top_p in product(EFFORTS, LIMITS, TEMPERATURES, (None, 0.9)):
        fields = {"reasoning_effort": effort, "max_tokens": limit, "temperature": temperature, "top_p": top_p}
        try:
            made = settings(one, **fields, **(FORCED if forced else {}))
        except UnsupportedParameter:
            continue
        sent = made.body
        thinks = sent.get("thinking", OFF) != OFF
        assert not (thinks and (sent.keys() & {"temperature", "top_p"}))
        assert not (thinks and forced and one is not ALWAYS)
        assert len(sent.keys() & {"temperature", "top_p"}) < 2
        assert 0 <= sent.get("temperature", 0) <= 1
        tokens = sent.get("thinking", {}).get("budget_tokens")
        assert tokens is None or MIN_BUDGET <= tokens < (limit or 32000)
        for name in ("temperature", "top_p"):
            assert name in sent or name in made.ignored or fields[name] in (None, 1)
        assert len(set(made.ignored)) == len(made.ignored)
        assert json.loads(made.env["CLAUDE_CODE_EXTRA_BODY"] or "{}") == sent
