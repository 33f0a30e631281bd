import json
import shutil
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM, "chromium is missing; scripts/test installs it"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-background-networking",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 1600})
    yield page
    page.close()


def test_the_docs_render_and_try_it_out_answers_with_no_network(page: Page, address: str) -> None:
    urls: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.goto(f"{address}/")
    expect(page).to_have_url(f"{address}/docs")

    operation = page.locator("#operations-Predictions-predict")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table .response .microlight")
    expect(answer.first).to_contain_text('"probability"')

    assert json.loads(answer.first.inner_text()).keys() >= {"probability", "model_version"}
    hosts = {urlsplit(url).netloc for url in urls if url.startswith("http")}
    assert hosts == {urlsplit(address).netloc}
    assert errors == []


def test_the_docs_show_every_operation(page: Page, address: str) -> None:
    page.goto(f"{address}/docs")
    paths = page.locator(".opblock-summary-path")
    expect(paths).to_have_count(5)
    shown = {path.replace("\u200b", "") for path in paths.all_inner_texts()}
    assert shown == {"/predict", "/predict/batch", "/livez", "/readyz", "/model"}
