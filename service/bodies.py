"""Reading the body of a request: of the right kind, and no larger than the limit."""

from starlette.requests import Request

from service.errors import ContentTooLarge, UnsupportedMediaType


async def read_json(request: Request, max_bytes: int) -> bytes:
    """Return the bytes of a JSON body.

    FastAPI's own `max_body_size` answers in plain text what declares too much, whatever the
    exception handlers say; so the limit is kept here, where the body is read.

    Raises
    ------
    UnsupportedMediaType
        When the headers announce anything but plain JSON in UTF-8.
    ContentTooLarge
        When the body is, or announces itself as, larger than `max_bytes`.
    """
    _check_content_type(request)
    too_large = ContentTooLarge(f"The body may have {max_bytes} bytes.")
    if int(request.headers.get("content-length", 0)) > max_bytes:
        raise too_large
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise too_large
    return b"".join(chunks)


def _check_content_type(request: Request) -> None:
    media_type, *parameters = request.headers.get("content-type", "").lower().split(";")
    charsets = [p.strip().removeprefix("charset=").strip('"') for p in parameters if "charset" in p]
    if media_type.strip() != "application/json" or charsets not in ([], ["utf-8"]):
        raise UnsupportedMediaType("Send JSON in UTF-8, with Content-Type: application/json.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body uncompressed, without Content-Encoding.")
