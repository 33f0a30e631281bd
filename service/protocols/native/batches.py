"""Batches: read, scored in their turn, and answered, as JSON or as streams of lines."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response

from service.errors import ContentTooLarge, InvalidInput, Refusal
from service.faults import MAX_BAD_ROWS, too_many_bad_rows
from service.http.streamed import StreamedResponse
from service.inference.admission import Admission
from service.observability.metrics.predicted_rows import PredictionMeter
from service.protocols.native.scoring import Scorer
from service.protocols.native.streams import STREAMS, Answer, Stream, faults_of
from service.settings import Settings
from service.wire.bodies import JSON, body_chunks, check_media_type, read_body
from service.wire.lines import blocks_of_lines
from service.wire.pace import Pace
from service.wire.peer import check_peer
from service.wire.steps import interleave


class Batches:
    """Answers batches, up to the limit of concurrent batches.

    Parameters
    ----------
    current : callable
        Returns what answers at the moment.
    settings : Settings
        The limits.
    meter : PredictionMeter
        Counts the rows, and the faults of those that are reported.
    """

    def __init__(
        self, current: Callable[[], Scorer], settings: Settings, meter: PredictionMeter
    ) -> None:
        self._current = current
        self._settings = settings
        self._meter = meter
        self._admission = Admission(settings.max_batches)

    async def answer(self, request: Request) -> Response:
        """Answer a batch of any kind."""
        media_type = check_media_type(request, JSON, *STREAMS)
        on_error = _on_error(request)
        if media_type == JSON:
            most = self._settings.max_bad_rows if on_error == "report" else None
            return Response(await self._json(request, most), media_type=JSON)
        make, scorer = STREAMS[media_type], self._current()
        if on_error == "refuse":
            return Response(await self._whole(request, make(scorer)), media_type=media_type)
        chunks = self._reported(request, make(scorer, self._settings.max_bad_rows))
        # What is wrong at the very start is still answered as a problem.
        return StreamedResponse(await anext(chunks), chunks, media_type)

    async def _json(self, request: Request, max_bad_rows: int | None) -> bytes:
        with self._admission.place():
            body = await read_body(request, self._settings.max_batch_bytes)
            async with self._admission.turn():
                check_peer(request)
                answered = await interleave(self._current().batch(body, max_bad_rows))
        outcome = answered.outcome
        self._meter.predicted(
            outcome.probabilities, outcome.classes, outcome.unseen, outcome.missing
        )
        self._meter.refused(answered.faults)
        self._meter.answered_batch(answered.rows)
        return answered.body

    async def _whole(self, request: Request, stream: Stream) -> bytes:
        """Return the answers to all rows, if none has a fault."""
        written, bad = [stream.header()], []
        most = self._settings.max_batch_rows
        chunks = body_chunks(request, self._settings.max_batch_bytes)
        with self._admission.place():
            async for answers in self._answers(request, stream, chunks):
                if stream.rows > most:
                    raise ContentTooLarge(f"A batch may contain at most {most} records; split it.")
                if stream.bad_rows:
                    bad += [answer for answer in answers if "errors" in answer]
                    del bad[MAX_BAD_ROWS:]
                else:
                    written.append(stream.written(answers))
        if bad:
            raise stream.refusal(bad)
        self._count(stream, ())
        self._meter.answered_batch(stream.rows)
        return b"".join(written)

    async def _reported(self, request: Request, stream: Stream) -> AsyncGenerator[bytes]:
        """Yield the answers to rows, and the faults of the others in their places."""
        pace = self._pace()
        chunks = body_chunks(request, self._settings.max_stream_bytes, pace)
        with self._admission.place():
            try:
                async for answers in self._answers(request, stream, chunks):
                    self._count(stream, answers)
                    yield (b"" if pace.is_due else stream.header()) + stream.written(answers)
                    pace.is_due = True
                    if stream.is_cut_short:
                        raise InvalidInput(too_many_bad_rows(stream.bad_rows), [])
            except Refusal as refusal:
                if not pace.is_due:
                    raise
                last = [stream.end(str(refusal))]
                self._count(stream, last)
                yield stream.written(last)
            finally:
                if stream.answered:  # at its end, whichever that is
                    self._meter.answered_batch(stream.answered)
        if not pace.is_due:
            self._meter.answered_batch(0)
            yield stream.header()

    async def _answers(
        self, request: Request, stream: Stream, chunks: AsyncIterator[bytes]
    ) -> AsyncGenerator[list[Answer]]:
        async for lines in blocks_of_lines(chunks, self._settings.max_record_bytes):
            rows = stream.without_header(lines)
            async with self._admission.turn():
                check_peer(request)
                answers = stream.plain_answers(rows)
                if answers is None:
                    # Slow enough to hold up the others, hence in a thread.
                    answers = await to_thread(stream.other_answers, rows)
            check_peer(request)
            yield answers
        stream.without_header([b""])  # where no line has come, the names are missing

    def _count(self, stream: Stream, answers: Sequence[Answer]) -> None:
        """Count the rows and faults of answers that are about to be sent."""
        for outcome in stream.uncounted():
            self._meter.predicted(
                outcome.probabilities, outcome.classes, outcome.unseen, outcome.missing
            )
        self._meter.refused(faults_of(answers))
        stream.answered = stream.rows

    def _pace(self) -> Pace:
        settings = self._settings
        return Pace(
            settings.max_stream_idle_seconds,
            settings.min_stream_bytes_per_second,
            settings.max_body_seconds,
        )


def _on_error(request: Request) -> str:
    on_error = request.query_params.get("on_error", "refuse")
    if on_error not in ("refuse", "report"):
        expected = "Expected refuse or report."
        fault = {"loc": ["query", "on_error"], "msg": expected, "type": "unknown_code"}
        raise InvalidInput("The value of on_error is not valid.", [fault])
    return on_error
