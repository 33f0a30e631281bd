"""Heartline's own contract: the routes that predict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from model.artifact.artifact import Artifact
from model.inference.predictor import Predictor
from service.errors import InvalidInput, too_many_connections, too_slow
from service.http.openapi import Example, answers, batch_answers, batch_body, json_body
from service.http.problems import PROBLEM
from service.protocols.contract import Contract
from service.protocols.native.batches import Batches
from service.protocols.native.examples import answer_examples, named_examples
from service.protocols.native.schemas import prediction_schemas
from service.protocols.native.scoring import Scorer
from service.protocols.native.streams import STREAMS
from service.protocols.native.trial import try_out
from service.wire.bodies import (
    JSON,
    check_media_type,
    damaged,
    other_media_type,
    read_body,
    too_large,
)

INVALID = InvalidInput("", [])
"""Stands for the faults that the example of a model shows."""


class NativeContract(Contract[Scorer]):
    """Records, batches, tables and lines of records, answered with probabilities and classes."""

    prefixes = ("/predict",)
    error_shape = PROBLEM

    def of_model(self, predictor: Predictor) -> Scorer:
        """Return what answers by a model that has answered its example in every form."""
        scorer = Scorer(predictor, self._settings.max_batch_rows)
        try_out(scorer)
        return scorer

    def schemas(self, artifact: Artifact) -> dict[str, Any]:
        """Return the types of requests and answers."""
        return prediction_schemas(artifact, self._settings.max_batch_rows)

    def examples(self, made: Scorer) -> list[Example]:
        """Return the answers to the example."""
        return answer_examples(made)

    def router(self, current: Callable[[], Scorer]) -> APIRouter:
        """Return the routes, which use the served model."""
        router = APIRouter(tags=["Predictions"])
        batches = Batches(current, self._settings, self._meter)
        examples = named_examples(self._features)
        problems = (
            INVALID,
            damaged("gzip"),
            too_slow("request body", self._settings.max_body_seconds),
            too_many_connections(),
        )

        @router.post(
            "/predict",
            summary="Predict for one record",
            responses=answers(
                "Prediction",
                "The prediction",
                *problems,
                too_large(self._settings.max_record_bytes),
                other_media_type(JSON),
            ),
            openapi_extra=json_body(examples, "InputRecord"),
        )
        async def predict(request: Request) -> Response:
            """Send one record, and get the probability and the predicted class.

            Every field is required, under its name or an alias. Coded columns accept a code or its
            name. A record with implausible values is rejected, and all faults are listed. For
            plausible values outside the training data, the response has warnings.
            """
            check_media_type(request, JSON)
            body = await read_body(request, self._settings.max_record_bytes)
            answer, outcome = current().predict(body)
            self._meter.predicted_row(
                outcome.probability, outcome.number, outcome.unseen, outcome.missing
            )
            return Response(answer, media_type="application/json")

        @router.post(
            "/predict/batch",
            summary="Predict for many records",
            responses=batch_answers(
                *problems,
                too_large(self._settings.max_batch_bytes),
                other_media_type(JSON, *STREAMS),
            ),
            openapi_extra=batch_body(examples),
        )
        async def predict_batch(request: Request) -> Response:
            """Send many records, and get a prediction for each, in the same order.

            Each record gets the prediction that it would get in a request of its own. If one
            record has a fault, the whole batch is rejected; the response lists the faults of the
            first hundred such records. With `on_error=report`, a record with faults gets its first
            faults in its place; in a table its cells are null, and `errors` lists the faults.
            After too many such records the results end with `cut_short`.

            A table, with the column names once and the values in rows, has a fifth of the size;
            its response is a table. The response to rows of CSV or NDJSON has the same format.
            With `on_error=report`, it is sent while rows still arrive, in a stream of any length:
            read while you send. An `id` comes back in every format.
            """
            return await batches.answer(request)

        return router
