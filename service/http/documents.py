"""Documents: answers that stay the same for as long as a model is served, made once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

ENTITY_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
"""As RFC 9110 writes one; the W of a weak one makes no difference here."""


class Document:
    """A JSON document with its entity tag.

    Parameters
    ----------
    content : object
        Anything that JSON can hold.

    Attributes
    ----------
    body : bytes
        The document.
    etag : str
        A strong entity tag: a digest of the body.
    """

    def __init__(self, content: object) -> None:
        self.body = to_json(content)
        self.etag = f'"{sha256(self.body).hexdigest()[:32]}"'
        # A client may store a copy, and asks each time whether it is still the newest.
        self._headers = {"etag": self.etag, "cache-control": "no-cache"}

    def answer(self, request: Request) -> Response:
        """Answer with the document, or 304 where the client has it."""
        if self.is_known(request.headers.getlist("if-none-match")):
            return Response(status_code=304, headers=self._headers)
        return Response(self.body, headers=self._headers, media_type="application/json")

    def is_known(self, conditions: Iterable[str]) -> bool:
        """Return whether the values of If-None-Match name this document."""
        condition = ", ".join(conditions).strip()
        return condition == "*" or self.etag in ENTITY_TAG.findall(condition)
