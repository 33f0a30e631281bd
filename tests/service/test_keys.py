"""The API keys of the settings: how they are written and read."""

from __future__ import annotations

import hashlib
import hmac
import re
from pathlib import Path

import pytest

from service.app import create_app
from service.http.keys import MAX_KEYS, ApiKeys, read_keys
from service.settings import Settings, SettingsError
from tests.conftest import ARTIFACT, ROOT

KEY = "0jIdRZ0wyr8Qx3Lq0mSoPjXyC5gEwT1N"
OTHER = "an-other.key_of~the+same/kind=="
DIGEST = hashlib.sha256(KEY.encode()).hexdigest()


def keys(text: str) -> ApiKeys:
    found = read_keys(Settings(api_keys=text))
    assert found
    return found


def test_there_are_none_unless_they_are_set() -> None:
    assert read_keys(Settings()) is None


@pytest.mark.parametrize(
    "entry", [f"lab:{KEY}", f"lab:sha256:{DIGEST}", f"lab:sha256:{DIGEST.upper()}"]
)
def test_a_key_is_known_by_its_name(entry: str) -> None:
    assert keys(entry).name_of(KEY.encode()) == "lab"
    for stranger in (b"", OTHER.encode(), KEY.encode()[:-1], entry.encode(), DIGEST.encode()):
        assert keys(entry).name_of(stranger) is None


@pytest.mark.parametrize("between", [",", ", ", "\n", "\r\n", " ", ",\n"])
def test_several_keys_stand_side_by_side_under_one_name_or_several(between: str) -> None:
    both = keys(f"lab:{KEY}{between}ward-7:{OTHER}{between}")
    assert (both.name_of(KEY.encode()), both.name_of(OTHER.encode())) == ("lab", "ward-7")
    old_and_new = keys(f"lab:{KEY}{between}lab:{OTHER}")
    assert {old_and_new.name_of(key.encode()) for key in (KEY, OTHER)} == {"lab"}


def test_every_key_is_compared_as_a_digest_in_constant_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = []

    def compare(known: bytes, given: bytes) -> bool:
        compared.append((len(known), len(given)))
        return hmac.compare_digest(known, given)

    monkeypatch.setattr("service.http.keys.compare_digest", compare)
    three = keys(f"a:{KEY},b:{OTHER},c:{'k' * 16}")
    for given in (KEY, OTHER, "of another length"):
        compared.clear()
        three.name_of(given.encode())
        assert compared == [(32, 32)] * 3


def test_a_file_is_as_good_as_the_variable(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"lab:{KEY}\nward-7:sha256:{DIGEST[::-1]}\n")
    found = read_keys(Settings(api_keys_file=file))
    assert found
    assert found.name_of(KEY.encode()) == "lab"


BAD = [
    KEY,
    f":{KEY}",
    f"two words:{KEY}",
    f"{'n' * 65}:{KEY}",
    "lab:",
    f"lab:{KEY[:15]}",
    f"lab:{'k' * 257}",
    f"lab:{KEY}!",
    f"lab:{KEY}é",
    f"lab:sha256:{DIGEST[:-1]}",
    f"lab:sha256:{DIGEST}0",
    f"lab:md5:{DIGEST}",
    f"lab:{KEY}:{KEY}",
    f"good:{OTHER},{KEY}",
    f"good:{OTHER},lab:{OTHER}",
    ",".join(f"lab:{KEY}{number}" for number in range(MAX_KEYS + 1)),
    " ",
    ",",
]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_what_is_malformed_is_refused_in_one_sentence_without_the_key(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^HEARTLINE_API_KEYS: [^\n]*$") as refused:
        keys(text)
    for secret in (KEY[:15], DIGEST[:15], OTHER):
        assert secret not in str(refused.value)


@pytest.mark.parametrize("content", [None, b"", b"lab", f"lab:{KEY}é".encode()])
def test_a_file_that_cannot_be_used_is_refused_too(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=r"^HEARTLINE_API_KEYS_FILE: [^\n]*$") as refused:
        create_app(Settings(artifact=ARTIFACT, api_keys_file=file))
    assert KEY not in str(refused.value)


def test_the_example_of_the_page_can_be_read() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    (example,) = re.findall(r"^```\n(laboratory:.*?)```$", page, re.MULTILINE | re.DOTALL)
    assert keys(example).name_of(b"put-a-random-key-here") == "ward-7"


def test_keys_are_set_in_one_place() -> None:
    with pytest.raises(
        SettingsError, match=r"^HEARTLINE_API_KEYS_FILE: set this or HEARTLINE_API_KEYS, not both"
    ):
        read_keys(Settings(api_keys=f"lab:{KEY}", api_keys_file=Path("keys")))


def test_they_can_be_handed_on_as_digests() -> None:
    text = keys(f"lab:{KEY},ward:{OTHER},lab:{KEY}-new").as_digests
    assert KEY not in text
    assert OTHER not in text
    handed_on = keys(text)
    assert handed_on.names == ["lab", "ward"]
    for key, name in ((KEY, "lab"), (OTHER, "ward"), (f"{KEY}-new", "lab")):
        assert handed_on.name_of(key.encode()) == name


def test_the_settings_do_not_show_them() -> None:
    settings = Settings(api_keys=f"lab:{KEY}")
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert KEY not in shown
    assert KEY not in repr(vars(keys(f"lab:{KEY}")))
