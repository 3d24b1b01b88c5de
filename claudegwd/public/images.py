"""Images that a request references by URL: fetched from allowed hosts before the request is planned."""

import base64

import msgspec
import trio

from claudegwd.fetching.fetch import Fetcher
from claudegwd.gateway.gateway import Gateway
from claudegwd.openai_api.chat.request import ChatRequest, ImagePart, Message
from claudegwd.openai_api.errors import BodyTooLarge, CallerError, InvalidRequest

# Both concurrently and in total: each fetch is a connection and up to 10 MB, and the client waits for the slowest.
MAX_FETCHES = 20


async def with_fetched_images(gateway: Gateway, wanted: ChatRequest) -> ChatRequest:
    """The request with `data:` URLs instead of addresses. Raises InvalidRequest for one that may not be fetched.

    Without server.fetch_hosts, nothing is fetched, and the translation refuses addresses with the place and the reason.
    """
    server = gateway.config.server
    return await fetched(wanted, Fetcher(server.fetch_hosts), server.max_body_bytes) if server.fetch_hosts else wanted


async def fetched(wanted: ChatRequest, fetcher: Fetcher, most: int) -> ChatRequest:
    """The same with this fetcher. `most`: bytes of all URLs together, as if the client had sent them itself. Raises
    InvalidRequest, BodyTooLarge."""
    found = [
        (number, index, part.url)
        for number, message in enumerate(wanted.messages)
        for index, part in enumerate(message.content)
        if isinstance(part, ImagePart) and part.url[:5].lower() != "data:"
    ]
    if not found:
        return wanted
    if len(found) > MAX_FETCHES:
        raise InvalidRequest(f"cannot fetch more than {MAX_FETCHES} images: send data: URLs", param="messages")
    urls: dict[tuple[int, int], str] = {}
    errors: list[CallerError] = []

    async def fetch(number: int, index: int, url: str) -> None:
        try:
            got = await fetcher.fetch(url, f"{wanted.messages[number].path(number)}.content[{index}].image_url.url")
            urls[number, index] = f"data:{got.media_type};base64,{base64.b64encode(got.data).decode()}"
            if sum(map(len, urls.values())) > most:
                raise BodyTooLarge(
                    f"cannot fetch these images: together they have more than {most} bytes in base64, which is "
                    "server.max_body_bytes", param="messages",
                )  # fmt: skip
        except CallerError as error:
            errors.append(error)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for place in found:
            nursery.start_soon(fetch, *place)
    if errors:
        raise errors[0]
    messages = tuple(_replaced(message, number, urls) for number, message in enumerate(wanted.messages))
    return msgspec.structs.replace(wanted, messages=messages)


def _replaced(message: Message, number: int, urls: dict[tuple[int, int], str]) -> Message:
    parts = tuple(
        msgspec.structs.replace(part, url=urls[number, index]) if (number, index) in urls else part
        for index, part in enumerate(message.content)
    )
    return msgspec.structs.replace(message, content=parts)
