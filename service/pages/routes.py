"""The API docs, served with all their scripts and styles: no other host is asked."""

from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

HERE = Path(__file__).parent


def add_pages(app: FastAPI) -> None:
    """Serve the docs at /docs, what they load below /static, and lead / to them."""

    @app.get("/", include_in_schema=False)
    async def home() -> Response:
        return RedirectResponse("docs")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return FileResponse(HERE / "docs.html")

    app.mount("/static", StaticFiles(directory=HERE / "static"))
