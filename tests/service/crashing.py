"""The heartline command, with a scorer that fails on a field named crash and quotes the body."""

from typing import NoReturn

from service.cli import main
from service.protocols.native.scoring import Answered, AnsweredBatch, Scorer
from service.wire.steps import Steps

score, score_batch = Scorer.predict, Scorer.batch


def _fail(body: bytes) -> NoReturn:
    try:
        raise KeyError(body)
    except KeyError as error:
        raise RuntimeError(f"cannot score {body!r}") from error


def predict(scorer: Scorer, body: bytes) -> Answered:
    return _fail(body) if b'"crash"' in body else score(scorer, body)


def batch(scorer: Scorer, body: bytes, max_bad_rows: int | None = None) -> Steps[AnsweredBatch]:
    return _fail(body) if b'"crash"' in body else score_batch(scorer, body, max_bad_rows)


if __name__ == "__main__":
    Scorer.predict = predict  # type: ignore[assignment,method-assign]
    Scorer.batch = batch  # type: ignore[assignment,method-assign]
    main()
