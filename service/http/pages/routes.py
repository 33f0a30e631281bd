"""The API docs, served with all their scripts and styles: nothing is loaded from other hosts."""

from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from service.http.served import Served
from service.inference.served_model import ServedModel

HERE = Path(__file__).parent


def add_pages(app: FastAPI, model: ServedModel[Served]) -> None:
    """Serve the docs at /docs with all that they load, and lead / to them."""
    pages = APIRouter(include_in_schema=False, dependencies=[Depends(_ignore_range)])
    static_files = StaticFiles(directory=HERE / "static")

    @pages.get("/", status_code=307)
    async def home() -> Response:
        return RedirectResponse("docs")

    @pages.get("/docs")
    async def docs() -> Response:
        return FileResponse(HERE / "docs.html")

    @pages.get("/openapi.json")
    async def openapi(request: Request) -> Response:
        return model.current.openapi.answer(request)

    @pages.get("/static/{path:path}", responses={304: {}, 404: {}})
    async def static(path: str, request: Request) -> Response:
        return await static_files.get_response(path, request.scope)

    app.include_router(pages)


async def _ignore_range(request: Request) -> None:
    # Starlette answers a Range that it cannot use with an error of its own, in plain text.
    headers = request.scope["headers"]
    request.scope["headers"] = [(name, value) for name, value in headers if name != b"range"]
