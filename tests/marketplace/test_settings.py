"""Settings come from the environment; an invalid one is refused by name, with a fix."""

from __future__ import annotations

from pathlib import Path

import pytest
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.settings import Settings

PREFIX = "CHIMES_MARKETPLACE_"


def test_an_empty_environment_gives_the_defaults(tmp_path: Path) -> None:
    settings = Settings.read(tmp_path, {})
    assert settings == Settings(data=tmp_path)
    assert settings.database == f"sqlite:///{tmp_path}/marketplace.db"


def test_every_setting_is_read(tmp_path: Path) -> None:
    given = {"NAME": "Optics Valley", "SLOTS": "3", "QUIET_S": "0.5", "DATABASE_URL": "sqlite:///other.db"}
    settings = Settings.read(tmp_path, {PREFIX + name: value for name, value in given.items()})
    assert (settings.name, settings.slots, settings.quiet_s) == ("Optics Valley", 3, 0.5)
    assert settings.database == "sqlite:///other.db"


@pytest.mark.parametrize("name", ["SLOTS", "UPLOAD_BYTES", "QUIET_S", "SILENCE_S", "RUN_S", "CONTROL_S", "LEASE_S"])
@pytest.mark.parametrize("text", ["0", "-1", "two", "nan", "inf", "1e99"])
def test_a_value_that_is_not_a_usable_number_is_refused_by_name(name: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(MarketplaceError, match=f"CHIMES_MARKETPLACE_{name} is '{text}': ") as caught:
        Settings.read(tmp_path, {PREFIX + name: text})
    assert (caught.value.code, "number above zero" in caught.value.fix) == ("bad-setting", True)


@pytest.mark.parametrize("text", ["market.example.org", "ftp://market.example.org", "https://", "https://a b"])
def test_a_public_address_that_is_not_one_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(MarketplaceError, match="CHIMES_MARKETPLACE_PUBLIC_URL is "):
        Settings.read(tmp_path, {PREFIX + "PUBLIC_URL": text})


@pytest.mark.parametrize(("name", "near"), [("SLOT", "SLOTS"), ("LEASE", "LEASE_S"), ("COLOUR", "known: ")])
def test_a_misspelt_setting_is_refused_with_the_correct_name(name: str, near: str, tmp_path: Path) -> None:
    with pytest.raises(MarketplaceError, match=f"no setting CHIMES_MARKETPLACE_{name}") as caught:
        Settings.read(tmp_path, {PREFIX + name: "3"})
    assert near in caught.value.fix


def test_rules_are_read_from_the_named_file(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('name = "ours"\ncall_s = 10\n[files]\nreserved_prefixes = ["wuhan-"]\n')
    rules = Settings.read(tmp_path, {PREFIX + "RULES": str(file)}).chosen_rules
    assert (rules.name, rules.call_s, rules.files.reserved_prefixes) == ("ours", 10, ("wuhan-",))


@pytest.mark.parametrize("text", [None, "call_s = 10\n"])
def test_rules_without_a_name_are_those_of_the_marketplace(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(text or "")
    rules = Settings.read(tmp_path, {PREFIX + "RULES": str(file)} if text else {}).chosen_rules
    assert (rules.name, rules.call_s) == ("marketplace", 10 if text else 60)


@pytest.mark.parametrize(
    ("text", "said"), [("call_s = ", "not valid TOML"), ("speed = 3", "'speed'"), (None, "cannot be read")]
)
def test_an_invalid_rules_file_is_refused_by_name(text: str | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(MarketplaceError, match=said):
        Settings.read(tmp_path, {PREFIX + "RULES": str(file)})
