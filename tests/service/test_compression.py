from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from tests.service.samples import JSON, PROBLEM, example

pytestmark = pytest.mark.anyio

RECORD = json.dumps(example()).encode()
BODIES = {"/predict": RECORD, "/predict/batch": b'{"instances": [%b]}' % RECORD}
LIMITS = {"/predict": 2**16, "/predict/batch": 8 * 2**20}

Compress = Callable[[bytes], bytes]
CODINGS: list[tuple[str, Compress]] = [
    ("gzip", gzip.compress),
    ("GZIP", gzip.compress),
    ("x-gzip", gzip.compress),
    ("deflate", zlib.compress),
]


def raw_deflate(body: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(body) + stream.flush()


DAMAGED: list[tuple[str, Compress]] = [
    ("gzip", bytes),
    ("gzip", lambda _: b""),
    ("gzip", zlib.compress),
    ("gzip", lambda body: gzip.compress(body)[:-1]),
    ("gzip", lambda body: gzip.compress(body)[:10]),
    ("gzip", lambda body: gzip.compress(body)[:-8] + bytes(8)),
    ("gzip", lambda body: gzip.compress(body) + b" "),
    ("gzip", lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:])),
    ("deflate", gzip.compress),
    ("deflate", raw_deflate),
    ("deflate", lambda body: zlib.compress(body)[:-4]),
]


async def _post(
    client: httpx.AsyncClient, path: str, coding: str, body: bytes | AsyncIterator[bytes]
) -> httpx.Response:
    return await client.post(path, content=body, headers={**JSON, "Content-Encoding": coding})


async def _in_pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(("coding", "compress"), CODINGS, ids=[name for name, _ in CODINGS])
async def test_a_compressed_body_is_answered_as_a_plain_one(
    client: httpx.AsyncClient, path: str, coding: str, compress: Compress
) -> None:
    plain = await client.post(path, content=BODIES[path], headers=JSON)
    compressed = await _post(client, path, coding, compress(BODIES[path]))
    in_bytes = await _post(client, path, coding, _in_pieces(compress(BODIES[path]), 1))
    assert (plain.status_code, compressed.content) == (200, plain.content)
    assert in_bytes.content == plain.content


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(("coding", "damage"), DAMAGED)
async def test_a_damaged_body_is_400(
    client: httpx.AsyncClient, path: str, coding: str, damage: Compress
) -> None:
    response = await _post(client, path, coding, damage(BODIES[path]))
    assert (response.status_code, response.headers["content-type"]) == (400, PROBLEM)
    assert response.json()["type"] == "urn:heartline:problem:damaged-body"
    assert coding in response.json()["detail"]


async def test_codings_in_two_headers_are_two_codings(client: httpx.AsyncClient) -> None:
    headers = [*JSON.items(), ("Content-Encoding", "gzip"), ("Content-Encoding", "gzip")]
    response = await client.post("/predict", content=gzip.compress(RECORD), headers=headers)
    assert response.status_code == 415


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize(("coding", "compress"), CODINGS, ids=[name for name, _ in CODINGS])
async def test_the_limit_holds_for_the_decompressed_body(
    client: httpx.AsyncClient, path: str, coding: str, compress: Compress
) -> None:
    most = BODIES[path].ljust(LIMITS[path])
    assert (await _post(client, path, coding, compress(most))).status_code == 200
    assert (await _post(client, path, coding, compress(most + b" "))).status_code == 413


async def test_the_limit_holds_for_the_compressed_body(client: httpx.AsyncClient) -> None:
    empty_blocks = b"\x78\x9c" + b"\x00\x00\x00\xff\xff" * 2**14
    response = await _post(client, "/predict", "deflate", _in_pieces(empty_blocks, 1000))
    assert (zlib.decompressobj().decompress(empty_blocks), response.status_code) == (b"", 413)


@pytest.mark.parametrize(("coding", "compress"), [CODINGS[0], CODINGS[-1]])
async def test_a_bomb_is_not_inflated(
    client: httpx.AsyncClient, coding: str, compress: Compress
) -> None:
    bomb = compress(bytes(2**26))
    tracemalloc.start()
    try:
        response = await _post(client, "/predict", coding, bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(bomb) < LIMITS["/predict"]
    assert response.status_code == 413
    assert peak < 2**22
