"""Every place where a request can wait: what it waits for, for how long, and what else can end the wait.

A wait without a bound hangs a client. So does a wait that outlasts the sweep that ends the worker under it, or it gives
the client the wrong error. So every wait is listed here, and a test finds those that are not.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BoundedWait:
    """`place` is module and function; `bound` is the constant or setting that ends the wait; `sweep` is what else can
    end what is waited for, and why the two do not conflict."""

    place: str
    waits_for: str
    bound: str
    sweep: str


WAITS = (
    BoundedWait("serving.Server._request", "earlier requests to begin", "one round of the event loop each", "none"),
    BoundedWait("bodies.RequestBody.piece", "the next chunk of the body", "BODY_SECONDS", "none"),
    BoundedWait(
        "bodies.RequestBody.discard",
        "the rest of a rejected body",
        "DISCARDED_SECONDS, DISCARDED_SILENCE_SECONDS",
        "none",
    ),
    BoundedWait(
        "connection.StoreConnection.call",
        "a reply from the shared store",
        "CALL_SECONDS",
        "the request continues without it",
    ),
    BoundedWait("connection.StoreConnection._send", "the store to accept a call", "WRITE_SECONDS", "the same"),
    BoundedWait(
        "database.Database.run",
        "the state file, if stored data is needed",
        "BUSY_SECONDS, if another process holds it",
        "none",
    ),
    BoundedWait("fetch.Fetcher._connect", "the addresses of the host of an image", "FETCH_SECONDS", "none"),
    BoundedWait(
        "fetch._connected", "a connection to one of them", "CONNECT_SECONDS, FETCH_SECONDS for the last", "none"
    ),
    BoundedWait("fetch.Fetcher._get", "the host to accept the request for an image", "FETCH_SECONDS", "none"),
    BoundedWait("exchange.Exchange.send", "the same", "FETCH_SECONDS", "none"),
    BoundedWait("exchange.Exchange.event", "the next bytes of an image", "FETCH_SECONDS", "none"),
    BoundedWait(
        "waiters.Waiters._given",
        "a worker, in the queue",
        "limits.queue_seconds",
        "if its worker dies, the request returns to the head of the queue",
    ),
    BoundedWait(
        "pool.Pool._until_settled",
        "a worker that has just answered to settle",
        "SETTLING_SECONDS",
        "SETTLE_SECONDS, which is longer",
    ),
    BoundedWait(
        "question.Question._choose_key",
        "the end of a key's cooldown",
        "keys.hold_seconds",
        "none: its worker was given back first",
    ),
    BoundedWait(
        "question.Question._next_step",
        "the pause before a retry at an overloaded upstream",
        "BACKOFF_MAX_SECONDS",
        "none: no sweep ends a worker that is busy but not answering",
    ),
    BoundedWait(
        "held_conversation.HeldConversation.append",
        "the CLI to acknowledge a message of the history",
        "ACKNOWLEDGE_SECONDS, or START_SECONDS",
        "START_SECONDS, the same",
    ),
    BoundedWait(
        "current_turn.CurrentTurn.until_settled",
        "the CLI to end its last turn",
        "SETTLE_SECONDS",
        "SETTLE_SECONDS, the same",
    ),
    BoundedWait(
        "pending_commands.PendingCommands.answer", "the CLI to rewind", "SETTLE_SECONDS", "none: the worker is busy"
    ),
    BoundedWait(
        "question.Question._receive_soon",
        "the CLI's first output, then the first token",
        "ACKNOWLEDGE_SECONDS, FIRST_EVENT_SECONDS, BETWEEN_EVENTS_SECONDS",
        "BETWEEN_EVENTS_SECONDS, the longest of them",
    ),
    BoundedWait(
        "question.Question.first", "all of the above", "limits.request_seconds", "the lease ends at the same time"
    ),
    BoundedWait(
        "question.Question.next",
        "the next outputs of the answer",
        "BETWEEN_EVENTS_SECONDS, limits.request_seconds",
        "the sweep itself ends it, and reports that on the channel",
    ),
    BoundedWait("output_channel.OutputReceiver.receive", "the same", "the same", "the same"),
    BoundedWait(
        "output_channel.OutputSender.deliver",
        "the client to read",
        "UNREAD_SECONDS",
        "the sweep itself ends it; this does not count as silence",
    ),
    BoundedWait(
        "serving._Connection._write_in_time",
        "the client to read what is written",
        "WRITE_SECONDS",
        "UNREAD_SECONDS, which is shorter; on a WebSocket MISSED_PONGS times PING_SECONDS",
    ),
    BoundedWait(
        "responses_socket.ResponsesSocket._answer_all",
        "earlier requests on its stream of a WebSocket",
        "limits.request_seconds for each of MAX_WAITING",
        "the lease of each, which ends at the same time",
    ),
    BoundedWait(
        "responses_socket.ResponsesSocket._write",
        "other answers that are being written to its WebSocket",
        "WRITE_SECONDS",
        "the connection is closed for all of them",
    ),
    BoundedWait(
        "running_responses.RunningResponse.follow",
        "the next event of a background response",
        "HEARTBEAT_SECONDS, then again",
        "the response has the bounds of every answer",
    ),
    BoundedWait(
        "running_responses.RunningResponse.until_ended",
        "a cancelled response to end",
        "CANCEL_SECONDS",
        "none",
    ),
    BoundedWait("mixing.mixed_outputs", "the next outputs of any choice", "HEARTBEAT_SECONDS, then again", "none"),
    BoundedWait("reply.Reply.events", "the next of the mixed outputs", "HEARTBEAT_SECONDS, then again", "none"),
    BoundedWait(
        "mixing._feed", "the client to read another choice's output", "UNREAD_SECONDS", "as for OutputSender.deliver"
    ),
    BoundedWait(
        "question.WorkspaceQuestion.next",
        "the next outputs of an answer in a workspace",
        "HEARTBEAT_SECONDS, then again",
        "the workspace's seconds, which end every answer there",
    ),
    BoundedWait(
        "question.WorkspaceQuestion.take",
        "the client to read what is said in a workspace",
        "the workspace's seconds, then LAST_WORD_SECONDS",
        "WRITE_SECONDS: the connection is closed, and the question with it",
    ),
    BoundedWait(
        "session.WorkspaceSession._answer",
        "the CLI in a workspace, and all that it runs",
        "the workspace's seconds",
        "none",
    ),
    BoundedWait(
        "workspaces.Workspaces.missing",
        "the test of what this machine can confine",
        "PROBE_SECONDS",
        "none",
    ),
    BoundedWait(
        "workspaces.Workspaces.place",
        "an idle process of a workspace to end, if there are MAX_AT_ONCE",
        "EOF_SECONDS, TERM_SECONDS and REAP_SECONDS, and FILE_SECONDS to store its conversation",
        "none",
    ),
    BoundedWait(
        "workspaces.Workspaces.prepared",
        "the startup files of a process in a workspace to be written",
        "PREPARE_SECONDS",
        "none",
    ),
    BoundedWait(
        "workspaces.Workspaces.serve_from",
        "a process in a workspace to hand over its listener",
        "LISTENER_SECONDS",
        "the workspace's seconds, which may be shorter",
    ),
    BoundedWait(
        "permissions.Permissions.refusal",
        "earlier calls of the same process to be decided",
        "the workspace's seconds",
        "WAIT_SECONDS for each of MAX_JUDGED_AT_ONCE that a person is asked about",
    ),
    BoundedWait(
        "permissions.Permissions._verdict",
        "the disk, to find out where a path leads",
        "the workspace's seconds",
        "none",
    ),
    BoundedWait(
        "approvals.Approvals.answer",
        "a person to approve or deny a call",
        "WAIT_SECONDS",
        "the workspace's seconds",
    ),
    BoundedWait(
        "kept_conversations.KeptConversations.read",
        "a kept conversation to be read from disk",
        "FILE_SECONDS",
        "none",
    ),
    BoundedWait(
        "kept_conversations.KeptConversations._remove",
        "an unreadable kept conversation to be removed from disk",
        "FILE_SECONDS",
        "none",
    ),
)
