"""What stands before MAX Serve's own routes: a request is answered as it was meant, or refused with the reason."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from .requests import MOST_BYTES, ROUTES, Offer, Refusal, checked

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
OPEN = ("/v1/models", "/v1/health", "/health", "/version")
KINDS = {404: "not_found_error"}


class Front:
    """An ASGI application around MAX Serve's (https://asgi.readthedocs.io/en/latest/specs/www.html)."""

    def __init__(self, app: Callable[..., Awaitable[None]], offer: Offer) -> None:
        """Stand before `app`, which serves `offer`."""
        self.app, self.offer = app, offer

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        try:
            if scope["type"] == "http" and path == "/v1/completions" and scope["method"] == "POST":
                body = await whole_body(receive)
                if body is None:  # the client has gone
                    return
                asked = checked(body, self.offer)
                await self.app(scope, once(json.dumps(asked).encode(), receive), send)
            elif scope["type"] == "lifespan" or path == "/v1/completions" or path in OPEN or path == self.own_path:
                await self.app(scope, receive, send)
            else:
                raise Refusal(f"There is no {path} here; this server has {ROUTES}.", 404)
        except Refusal as refusal:
            await send_error(send, refusal)

    @property
    def own_path(self) -> str:
        """Where the model that is served is described."""
        return f"/v1/models/{self.offer.name}"


async def whole_body(receive: Receive) -> bytes | None:
    """A request's body; None if the client went before its end.

    Raises:
        Refusal: if it has more than `MOST_BYTES`.
    """
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MOST_BYTES:
            raise Refusal(f"The request has more than {MOST_BYTES:,} bytes.", 413)
    return body


def once(body: bytes, receive: Receive) -> Receive:
    """Give a body as if it came now; whatever comes after it is the client's own."""
    given = False

    async def give() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give


async def send_error(send: Send, refusal: Refusal) -> None:
    """Answer with an error in OpenAI's form."""
    kind = KINDS.get(refusal.status, "invalid_request_error")
    error = {"message": str(refusal), "type": kind, "param": None, "code": str(refusal.status)}
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
