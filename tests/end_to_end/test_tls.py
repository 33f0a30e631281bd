from __future__ import annotations

import json
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest

from service.server.tls import tls_context
from service.settings import Settings
from tests.end_to_end.certificates import Certificate, locked, self_signed
from tests.end_to_end.processes import COMMAND, PATIENCE, listening_port, run, started

UNLOCKS = "a-password-of-the-key"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def service(folder: Path) -> Certificate:
    return self_signed(folder, "service")


@pytest.fixture(scope="module")
def caller(folder: Path) -> Certificate:
    return self_signed(folder, "caller")


def _trusting(service: Certificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=service.certificate)


def _livez(port: int, context: ssl.SSLContext) -> httpx.Response:
    with httpx.Client(verify=context, trust_env=False) as client:
        return client.get(f"https://127.0.0.1:{port}/livez")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_with_a_certificate_the_service_speaks_https_alone(
    tmp_path: Path, service: Certificate, workers: str
) -> None:
    log = tmp_path / "log"
    command = [COMMAND, "serve", "--workers", workers]
    command += ["--ssl-certfile", str(service.certificate), "--ssl-keyfile", str(service.key)]
    with started(command, log) as process:
        port = listening_port(process)
        assert _livez(port, _trusting(service)).json() == {"status": "alive"}
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"https://127.0.0.1:{port}/livez", trust_env=False)
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False)
    urls = [line["url"] for line in map(json.loads, log.read_text().splitlines()) if "url" in line]
    assert urls == [f"https://127.0.0.1:{port}"]


def test_a_locked_key_opens_with_its_password_which_is_nowhere(
    tmp_path: Path, service: Certificate
) -> None:
    log = tmp_path / "log"
    variables = {
        "HEARTLINE_SSL_CERTFILE": str(service.certificate),
        "HEARTLINE_SSL_KEYFILE": str(locked(service.key, UNLOCKS)),
    }
    for password in ("", "another"):
        refused = run("serve", **variables, HEARTLINE_SSL_KEYFILE_PASSWORD=password)
        assert refused.returncode == 1
        assert refused.stderr.startswith("heartline: HEARTLINE_SSL_CERTFILE: ")
        assert refused.stderr.count("\n") == 1
    variables["HEARTLINE_SSL_KEYFILE_PASSWORD"] = UNLOCKS
    variables["HEARTLINE_LOG_LEVEL"] = "debug"
    with started([COMMAND, "serve"], log, **variables) as process:
        port = listening_port(process)
        assert _livez(port, _trusting(service)).status_code == 200
    assert UNLOCKS not in log.read_text()


def test_with_authorities_a_client_needs_a_certificate_of_theirs(
    tmp_path: Path, service: Certificate, caller: Certificate
) -> None:
    command = [COMMAND, "serve", "--ssl-ca-certs", str(caller.certificate)]
    command += ["--ssl-certfile", str(service.certificate), "--ssl-keyfile", str(service.key)]
    known, stranger = _trusting(service), _trusting(service)
    known.load_cert_chain(caller.certificate, caller.key)
    with started(command, tmp_path / "log") as process:
        port = listening_port(process)
        assert _livez(port, known).status_code == 200
        with (
            httpx.Client(verify=stranger, trust_env=False) as client,
            pytest.raises(httpx.TransportError),
        ):
            client.get(f"https://127.0.0.1:{port}/livez")


def test_ciphers_are_those_of_the_setting(tmp_path: Path, service: Certificate) -> None:
    cipher = "ECDHE-RSA-AES256-GCM-SHA384"
    command = [COMMAND, "serve", "--ssl-ciphers", cipher]
    command += ["--ssl-certfile", str(service.certificate), "--ssl-keyfile", str(service.key)]
    other = _trusting(service)
    other.maximum_version = ssl.TLSVersion.TLSv1_2
    other.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    with started(command, tmp_path / "log") as process:
        port = listening_port(process)
        assert _livez(port, _trusting(service)).status_code == 200
        with (
            httpx.Client(verify=other, trust_env=False) as client,
            pytest.raises(httpx.ConnectError),
        ):
            client.get(f"https://127.0.0.1:{port}/livez")


def _offers(port: int, cipher: str) -> bool:
    """Return whether a handshake of TLS 1.2 succeeds with a cipher alone."""
    client = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-cipher"]
    ended = subprocess.run(
        [*client, f"{cipher}:@SECLEVEL=0"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return ended.returncode == 0


def test_ciphers_of_tls_1_2_have_forward_secrecy_and_authenticated_encryption(
    tmp_path: Path, service: Certificate
) -> None:
    good = ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305"]
    ciphers = [f"{exchange}-RSA-{cipher}" for exchange in ("ECDHE", "DHE") for cipher in good]
    ciphers += ["AES128-GCM-SHA256", "AES128-SHA", "ECDHE-RSA-AES256-SHA"]
    ciphers += ["ECDHE-RSA-AES128-SHA256", "ECDHE-RSA-AES256-SHA384"]
    command = [COMMAND, "serve"]
    command += ["--ssl-certfile", str(service.certificate), "--ssl-keyfile", str(service.key)]
    with started(command, tmp_path / "log") as process:
        port = listening_port(process)
        assert _livez(port, _trusting(service)).status_code == 200
        offered = {cipher for cipher in ciphers if _offers(port, cipher)}
    assert offered == {f"ECDHE-RSA-{cipher}" for cipher in good}


def test_no_other_cipher_is_in_the_context(service: Certificate) -> None:
    context = tls_context(Settings(ssl_certfile=service.certificate, ssl_keyfile=service.key))
    assert context
    for cipher in context.get_ciphers():
        assert cipher["aead"]
        assert cipher["protocol"] == "TLSv1.3" or cipher["kea"] == "kx-ecdhe"


def test_files_that_do_not_work_are_one_line_and_a_code(
    folder: Path, service: Certificate, caller: Certificate
) -> None:
    no_pem = folder / "no.pem"
    no_pem.write_text("no certificate")
    certfile = ("--ssl-certfile", str(service.certificate))
    for flags, said in (
        (("--ssl-certfile", "nowhere.pem"), "HEARTLINE_SSL_CERTFILE: Path does not point to a "),
        (("--ssl-keyfile", str(service.key)), "HEARTLINE_SSL_CERTFILE: required when "),
        (("--ssl-certfile", str(no_pem)), "HEARTLINE_SSL_CERTFILE: the TLS files cannot "),
        (certfile, "HEARTLINE_SSL_CERTFILE: the TLS files cannot "),
        ((*certfile, "--ssl-keyfile", str(caller.key)), "HEARTLINE_SSL_CERTFILE: the TLS "),
        (
            (*certfile, "--ssl-keyfile", str(service.key), "--ssl-ciphers", "none"),
            "HEARTLINE_SSL_CERTFILE: the TLS files cannot be used: No cipher can be selected.\n",
        ),
    ):
        ended = run("serve", *flags)
        assert ended.returncode == 1
        assert ended.stderr.startswith(f"heartline: {said}")
        assert ended.stderr.count("\n") == 1
