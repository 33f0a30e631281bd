"""Calls a service by the client made of its document, and prints what it answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from heartline_client import Client
from heartline_client.api.operations import get_model
from heartline_client.api.predictions import predict, predict_batch
from heartline_client.models import (
    Batch,
    BatchPrediction,
    BatchRow,
    InputRecord,
    ModelCard,
    Prediction,
    Problem,
    RejectedRow,
    Table,
    TablePrediction,
)
from heartline_client.models import (
    PredictBatchOnError as OnError,
)


def answers(url: str, example: dict[str, Any]) -> dict[str, Any]:
    with Client(url) as client:
        records = [InputRecord.from_dict(record) for record in example["records"]]
        alone = [predict.sync(client=client, body=record) for record in records]
        batch = predict_batch.sync(client=client, body=Batch(instances=records))
        rows = predict_batch.sync(client=client, body=Table.from_dict(example["table"]))
        bad = InputRecord.from_dict(example["bad"])
        mixed = Batch(instances=[*records, bad])
        reported = predict_batch.sync(client=client, body=mixed, on_error=OnError.REPORT)
        refused = predict.sync(client=client, body=InputRecord.from_dict(example["bad"]))
        card = get_model.sync(client=client)
    assert isinstance(batch, BatchPrediction)
    assert isinstance(reported, BatchPrediction)
    assert isinstance(rows, TablePrediction)
    assert isinstance(refused, Problem)
    assert isinstance(card, ModelCard)
    assert all(isinstance(one, Prediction) and one.model_version == card.version for one in alone)
    return {
        "alone": [one.to_dict() for one in alone if one],
        "batch": batch.to_dict(),
        "labels": [str(row.label) for row in batch.predictions if isinstance(row, BatchRow)],
        "reported": reported.to_dict(),
        "bad": [isinstance(row, RejectedRow) for row in reported.predictions],
        "rows": rows.to_dict(),
        "faults": [fault.type_ for fault in refused.errors or ()],
    }


if __name__ == "__main__":
    found = answers(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))
    json.dump(found, sys.stdout)
