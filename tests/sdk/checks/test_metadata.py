from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from chimes.checks.formats.fields import parse_headers
from chimes.checks.formats.licences import deprecated_identifiers, is_valid_expression
from chimes.checks.formats.metadatafields import is_valid, requirement_url
from chimes.evidence.verdict import CheckResult

Ask = Callable[..., CheckResult]
Messages = Callable[[CheckResult], str]
MakeFile = Callable[..., Path]
INFO = "acme_model-1.0.dist-info"
START = "Metadata-Version: 2.4\nName: acme-model\nVersion: 1.0\n"

GOOD = {
    "the least": START,
    "an old licence text": START + "License: MIT\n        \n        Permission is hereby granted\n",
    "a licence expression": START + "License-Expression: mit OR (Apache-2.0 WITH LLVM-exception)\n",
    "a licence of one's own": START + "License-Expression: LicenseRef-Acme-1.0\n",
    "a private classifier": START + "Classifier: Private :: Do Not Upload\n",
    "extras": START + "Provides-Extra: gpu\nProvides-Extra: npu\nRequires-Dist: x>=1; extra == 'gpu'\n",
    "dynamic": START + "Dynamic: license-file\nDynamic: Requires-Dist\n",
    "a description as a field": START + "Description: one\n        two\n",
    "a description with anything in it": START + "\nno colon here\n folded\n",
    "a licence file under 2.1": START.replace("2.4", "2.1") + "License-File: LICENSE\n",
    "Windows lines": START.replace("\n", "\r\n") + "Summary: fine\r\n\r\nText\r\n",
    "no web page": START + "Home-page: UNKNOWN\nDownload-URL:\nDescription-Content-Type: UNKNOWN\n",
    "import names": START.replace("2.4", "2.5") + "Import-Name: acme_model\nImport-Namespace: acme\n",
}


@pytest.mark.parametrize("metadata", GOOD.values(), ids=GOOD)
def test_valid_metadata_pass(metadata: str, make_wheel: MakeFile, ask: Ask, messages: Messages) -> None:
    result = ask("A04", make_wheel(metadata=metadata))
    assert result.verdict == "pass", messages(result)


BAD = {
    "no colon": (START + "Requires-Dist numpy\nSummary: lost\n", "line 4 of .*METADATA has no colon"),
    "a space before the colon": (START + "Summary : x\n", "line 4 of .* has no colon"),
    "folded first": ("  folded\n" + START, "opens with a folded line"),
    "a control character": (START + "Summary: a\x07b\n", "line 4 of .* has a control character"),
    "too many lines": (START + "Platform: any\n" * 20_001, "header lines, more than are read"),
    "too many fields": (START + "".join(f"X-{n}: 1\n" for n in range(200)), "more different fields than are read"),
    "nothing": ("\nbody\n", "the field Name is missing"),
    "no name": ("Metadata-Version: 2.4\nVersion: 1.0\n", "the field Name is missing"),
    "empty version": ("Metadata-Version: 2.4\nName: acme-model\nVersion:\n", "the field Version is missing"),
    "two names": (START + "Name: other\n", "the field Name occurs 2 times"),
    "metadata version": (START.replace("2.4", "9.9"), "Metadata-Version '9.9' is not valid"),
    "name": (START.replace("acme-model", "-acme-"), "Name '-acme-' is not valid"),
    "version": (START.replace("1.0", "one"), "Version 'one' is not valid"),
    "version with endless digits": (START.replace("1.0", "9" * 5000), "has a 'version' of 5000 characters"),
    "version with many digits": (START.replace("1.0", "1.0+" + "x." * 50), "Version .* is not valid"),
    "unknown field": (START + "Colour: blue\n", "'colour' is not a field"),
    "mail's own field": (START + "Content-Type: multipart/mixed; boundary=x\n\n--x\n", "'content-type' is not a field"),
    "newer field": (START.replace("2.4", "2.1") + "Dynamic: Summary\n", "Dynamic is newer than Metadata-Version 2.1"),
    "newer licence": (START.replace("2.4", "2.3") + "License-Expression: MIT\n", "License-Expression is newer"),
    "two licences": (START + "License: MIT\nLicense-Expression: MIT\n", "both License and License-Expression"),
    "unknown licence": (START + "License-Expression: Use-It\n", "License-Expression 'Use-It' is not valid"),
    "broken licence": (START + "License-Expression: (MIT\n", "is not valid .* use SPDX identifiers"),
    "deep licence": (START + f"License-Expression: {'(' * 400}MIT{')' * 400}\n", "License-Expression .* is not valid"),
    "long licence": (START + f"License-Expression: MIT{' OR MIT' * 900}\n", "'license-expression' of 6303 characters"),
    "deprecated licence": (START + "License-Expression: GPL-2.0 OR MIT\n", "'GPL-2.0' is deprecated.*GPL-2.0-only"),
    "deprecated with": (START + "License-Expression: wxWindows\n", "'wxWindows' is deprecated -> write .* WITH"),
    "licence file": (START + "License-File: COPYING\n", "licence file 'COPYING' is not in the archive"),
    "licence file outside": (START + "License-File: ../LICENSE\n", "License-File '../LICENSE' is not valid"),
    "extras collide": (START + "Provides-Extra: a_b\nProvides-Extra: A-B\n", "extras 'a_b' and 'A-B' are the same"),
    "extra": (START + "Provides-Extra: -a\n", "Provides-Extra '-a' is not valid"),
    "dynamic name": (START + "Dynamic: Name\n", "Dynamic 'Name' is not valid .* other than Name"),
    "dynamic version": (START + "Dynamic: Version\n", "Dynamic 'Version' is not valid"),
    "dynamic metadata version": (START + "Dynamic: Metadata-Version\n", "Dynamic 'Metadata-Version' is not valid"),
    "direct URL": (START + "Requires-Dist: x @ https://example.org/x.whl\n", "names a direct URL"),
    "requirement": (START + "Requires-Dist: x >> 1\n", "Requires-Dist 'x >> 1' is not valid"),
    "deep marker": (START + f"Requires-Dist: x; {'(' * 1900}\n", "Requires-Dist .* is not valid"),
    "too deep marker": (START + f"Requires-Dist: x; {'(' * 5000}\n", "'requires-dist' of 5003 characters"),
    "many requirements": (START + "Requires-Dist: x\n" * 2001, "the field 'requires-dist' 2001 times"),
    "marker without order": (START + "Requires-Dist: x; os_name ~= 'posix'\n", "values without an order -> compare"),
    "python": (START + "Requires-Python: three\n", "Requires-Python 'three' is not valid"),
    "classifier": (START + "Classifier: Topic :: Magic\n", "classifier 'Topic :: Magic' does not exist"),
    "old classifier": (START + "Classifier: Natural Language :: Ukranian\n", "is deprecated -> use"),
    "summary": (START + f"Summary: {'s' * 513}\n", "summary has 513 characters, the limit is 512"),
    "summary of two lines": (START + "Summary: a\n b\n", "Summary 'a.*' is not valid -> write one line"),
    "content type": (START + "Description-Content-Type: text/html\n", "Description-Content-Type 'text/html' is not"),
    "two descriptions": (START + "Description: a\n\nb\n", "a Description field and a description below"),
    "home page": (START + "Home-page: example.org\n", "Home-Page 'example.org' is not an http"),
    "ftp": (START + "Download-URL: ftp://example.org/x\n", "Download-URL 'ftp.*' is not an http"),
    "broken URL": (START + "Home-page: https://[example\n", "is not an http"),
    "URL without label": (START + "Project-URL: https://example.org\n", "Project-URL .* is not a label"),
    "long label": (START + f"Project-URL: {'l' * 33}, https://example.org\n", "is not a label of at most 32"),
    "script URL": (START + "Project-URL: x, javascript:alert(1)\n", "is not a label of at most 32"),
    "label twice": (START + "Project-URL: x, https://a.b\n" * 2, "the label 'x' twice"),
    "import name": (START.replace("2.4", "2.5") + "Import-Name: 1x\n", "Import-Name '1x' is not valid"),
}  # fmt: skip


@pytest.mark.parametrize(("metadata", "words"), BAD.values(), ids=BAD)
def test_invalid_metadata_are_named(
    metadata: str, words: str, make_wheel: MakeFile, ask: Ask, messages: Messages
) -> None:
    result = ask("A04", make_wheel(metadata=metadata))
    assert result.verdict == "fail"
    assert len(result.findings) <= 101
    assert re.search(words, messages(result)), messages(result)


def test_unreadable_or_missing_metadata_are_named(
    make_wheel: MakeFile, make_sdist: MakeFile, ask: Ask, messages: Messages
) -> None:
    latin = make_wheel({f"{INFO}/METADATA": START.encode() + b"Summary: \xe4\n"})
    assert "line 4 of acme_model-1.0.dist-info/METADATA is not UTF-8" in messages(ask("A04", latin))
    assert "there is no readable" in messages(ask("A04", make_wheel({f"{INFO}/METADATA": None})))
    assert "there is no readable 'acme_model-1.0/PKG-INFO'" in messages(
        ask("A04", make_sdist({"acme_model-1.0/PKG-INFO": None}))
    )
    assert "there is no readable 'PKG-INFO'" in messages(ask("A04", make_sdist({"other/a.py": b""})))


def test_up_to_a_hundred_problems_are_reported_at_once(make_wheel: MakeFile, ask: Ask, messages: Messages) -> None:
    metadata = START + "Classifier: Nonsense :: No\n" * 300 + "Requires-Python: three\n"
    result = ask("A04", make_wheel(metadata=metadata))
    assert len(result.findings) == 101
    assert "201 more problems" in messages(result)


def test_the_licence_files_of_an_sdist_are_in_its_folder(make_sdist: MakeFile, ask: Ask, messages: Messages) -> None:
    assert ask("A04", make_sdist()).verdict == "pass"
    gone = ask("A04", make_sdist({"acme_model-1.0/LICENSE": None}))
    assert "'LICENSE' is not in the archive" in messages(gone)


def test_headers_are_split_as_a_mail_parser_would() -> None:
    headers = parse_headers(b"A: 1\r\nb:2\rC:\n x\n\t y\n\nD: not a field\n")
    assert headers.fields == (("A", "1"), ("b", "2"), ("C", "\n x\n\t y"))
    assert headers.body == "D: not a field\n"
    assert headers.all("B") == ["2"]
    assert parse_headers(b"").fields == ()
    assert parse_headers(b"A: 1").fields == (("A", "1"),)


def test_licence_identifiers_are_known() -> None:
    assert is_valid_expression("MIT AND (BSD-3-Clause OR Apache-2.0)")
    assert not is_valid_expression("MIT AND")
    assert deprecated_identifiers("(LGPL-2.1 OR MIT)") == {"LGPL-2.1": "LGPL-2.1-only"}
    assert requirement_url("not a requirement !") is None
    assert is_valid("keywords", "anything")
