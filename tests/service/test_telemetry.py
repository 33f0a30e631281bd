from fastapi import FastAPI


def test_fastapis_own_telemetry_is_off(app: FastAPI) -> None:
    off = dict.fromkeys(("tracing", "metrics", "logs", "auto_configure"), False)
    assert app._telemetry.items() >= off.items()
    assert not app._native_telemetry.enabled()
