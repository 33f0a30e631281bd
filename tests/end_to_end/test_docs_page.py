import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.end_to_end.processes import COMMAND, started, wait_until_ready

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
    expect(paths).to_have_count(6)
    shown = {path.replace("\u200b", "") for path in paths.all_inner_texts()}
    assert shown == {"/predict", "/predict/batch", "/livez", "/readyz", "/metrics", "/model"}


def test_the_authorize_button_opens_what_needs_a_key(page: Page, tmp_path: Path) -> None:
    key = "a-key-to-try-the-docs-with"
    errors: list[str] = []
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    with started([COMMAND, "serve"], tmp_path / "log", HEARTLINE_API_KEYS=f"me:{key}") as process:
        port = wait_until_ready(process)
        page.goto(f"http://127.0.0.1:{port}/docs")
        operation = page.locator("#operations-Operations-get_model")
        operation.locator(".opblock-summary-control").click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        status = operation.locator(".live-responses-table .response-col_status")
        expect(status.last).to_contain_text("401")

        page.locator(".auth-wrapper .btn.authorize").click()
        page.get_by_label("auth-bearer-value").fill(key)
        page.get_by_role("button", name="Apply credentials").click()
        page.get_by_role("button", name="Close").click()
        operation.get_by_role("button", name="Execute").click()
        expect(status.last).to_contain_text("200")
    assert [error for error in errors if "401" not in error] == []


@pytest.mark.parametrize(
    ("injected", "directive"),
    [
        ("script.textContent = 'window.ran = true'", "script-src-elem"),
        ("script.src = 'data:text/javascript,window.ran = true'", "script-src-elem"),
        ("script.src = 'http://127.0.0.2/ran.js'", "script-src-elem"),
        ("document.body.setAttribute('onclick', 'window.ran = true')", "script-src-attr"),
    ],
)
def test_an_injected_script_is_refused(
    page: Page, address: str, injected: str, directive: str
) -> None:
    page.goto(f"{address}/docs")
    refused = page.evaluate(
        f"""() => new Promise(resolve => {{
            document.addEventListener(
                "securitypolicyviolation", event => resolve(event.effectiveDirective));
            const script = document.createElement("script");
            {injected};
            document.body.append(script);
            document.body.click();
            setTimeout(() => resolve("nothing"), 5000);
        }})"""
    )
    assert refused == directive
    assert page.evaluate("window.ran") is None


def test_no_page_can_frame_the_docs(page: Page, address: str) -> None:
    with page.expect_console_message(lambda line: line.type == "error") as refused:
        page.set_content(f'<iframe src="{address}/docs"></iframe>')
    assert "frame-ancestors 'none'" in refused.value.text
