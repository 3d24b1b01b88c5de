"""Every place where a request can wait on its way to an answer: for what, for how long, and who else looks at it.

A wait without a bound hangs a client. A wait whose bound is longer than the patience of a sweep that ends the worker
under it hangs one too, or answers it wrongly. So each is listed, and a test finds those that are not.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BoundedWait:
    """`place` is module and function; `bound` the constant or setting that ends it; `sweep` what else may end what is
    waited for, and why the two agree."""

    place: str
    waits_for: str
    bound: str
    sweep: str


WAITS = (
    BoundedWait(
        "serving.Server._request", "those that came before it to begin", "one round of the event loop each", "none"
    ),
    BoundedWait("bodies.RequestBody.piece", "the next piece of the body", "BODY_SECONDS", "none"),
    BoundedWait(
        "bodies.RequestBody.discard", "the rest of a refused body", "its own seconds, bytes and silence", "none"
    ),
    BoundedWait(
        "connection.StoreConnection.call",
        "the store that machines share",
        "CALL_SECONDS",
        "it goes on without",
    ),
    BoundedWait("connection.StoreConnection._send", "the same to take a call", "WRITE_SECONDS", "the same"),
    BoundedWait(
        "database.Database.run",
        "the state file, where what is kept is asked for",
        "BUSY_SECONDS, should another process hold it",
        "none",
    ),
    BoundedWait("fetch.Fetcher._connect", "a host with an image to take a connection", "FETCH_SECONDS", "none"),
    BoundedWait("fetch.Fetcher._get", "a host that takes an image's request", "FETCH_SECONDS", "none"),
    BoundedWait("exchange.Exchange.send", "the same", "FETCH_SECONDS", "none"),
    BoundedWait("exchange.Exchange.event", "the next bytes of an image", "FETCH_SECONDS", "none"),
    BoundedWait(
        "waiters.Waiters._given", "a worker, in the queue", "limits.queue_seconds", "one that dies gives its place back"
    ),
    BoundedWait(
        "pool.Pool._until_settled",
        "a worker that has just answered",
        "SETTLING_SECONDS",
        "SETTLE_SECONDS, which is longer",
    ),
    BoundedWait(
        "question.Question._choose_key", "a key that cools", "keys.hold_seconds", "its worker was given back before"
    ),
    BoundedWait(
        "question.Question._next_step",
        "the pause before an overloaded upstream is asked again",
        "BACKOFF_MAX_SECONDS",
        "the worker is busy and not answering, which no sweep ends",
    ),
    BoundedWait(
        "held_conversation.HeldConversation.append",
        "the CLI to take a message of the history",
        "ACKNOWLEDGE_SECONDS, or START_SECONDS",
        "START_SECONDS: the same",
    ),
    BoundedWait(
        "worker.Worker.until_settled", "the CLI to end its last turn", "SETTLE_SECONDS", "SETTLE_SECONDS: the same"
    ),
    BoundedWait(
        "pending_commands.PendingCommands.answer", "the CLI to go back", "SETTLE_SECONDS", "none: the worker is busy"
    ),
    BoundedWait(
        "question.Question._receive_soon",
        "the CLI's first word, then the first token",
        "ACKNOWLEDGE_SECONDS, FIRST_EVENT_SECONDS, BETWEEN_EVENTS_SECONDS",
        "BETWEEN_EVENTS_SECONDS: the longest of them",
    ),
    BoundedWait("question.Question.first", "all of the above", "limits.request_seconds", "the lease ends with it"),
    BoundedWait(
        "question.Question.next",
        "the next outputs of the answer",
        "BETWEEN_EVENTS_SECONDS, limits.request_seconds",
        "it is the sweep that ends it, and says so on the channel",
    ),
    BoundedWait("output_channel.OutputReceiver.receive", "the same", "the same", "the same"),
    BoundedWait(
        "output_channel.OutputSender.deliver",
        "the client to read",
        "UNREAD_SECONDS",
        "it is the sweep that ends it; not silence",
    ),
    BoundedWait(
        "serving._Connection._write_in_time",
        "the client to take what is written",
        "WRITE_SECONDS",
        "UNREAD_SECONDS, which is shorter; on a WebSocket MISSED_PONGS of PING_SECONDS each",
    ),
    BoundedWait(
        "responses_socket.ResponsesSocket._answer_all",
        "those before it on its stream of a WebSocket",
        "limits.request_seconds for each of MAX_WAITING",
        "the lease of each, which ends with it",
    ),
    BoundedWait(
        "responses_socket.ResponsesSocket._write",
        "other answers that are written on its WebSocket",
        "WRITE_SECONDS",
        "the connection is closed under all of them",
    ),
    BoundedWait(
        "running_responses.RunningResponse.follow",
        "the next event of a response in the background",
        "HEARTBEAT_SECONDS, then again",
        "that response has the bounds of every answer",
    ),
    BoundedWait(
        "running_responses.RunningResponse.until_ended",
        "a response that is cancelled to end",
        "CANCEL_SECONDS",
        "none",
    ),
    BoundedWait("mixing.mixed_outputs", "the next outputs of any choice", "HEARTBEAT_SECONDS, then again", "none"),
    BoundedWait(
        "mixing._feed", "the client to read what another choice said", "UNREAD_SECONDS", "as for OutputSender.deliver"
    ),
)
