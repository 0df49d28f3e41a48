"""The fields of an upload form: which are required, and their valid values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from chimes.checks.formats.fields import LONGEST
from chimes.text import quote
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from chimes_marketplace.errors import MarketplaceError

__all__ = [
    "DIGESTS",
    "METADATA_FIELDS",
    "RETIRED",
    "UploadForm",
    "check_action",
    "check_release",
    "is_absent",
    "read_form",
]

DIGESTS = MappingProxyType({"md5_digest": 32, "sha256_digest": 64, "blake2_256_digest": 64})
"""Field of a digest to its length in hexadecimal digits."""

METADATA_FIELDS = frozenset(
    {"metadata_version", "name", "version", "platform", "supported_platform", "summary", "description", "keywords"}
    | {"home_page", "download_url", "author", "author_email", "maintainer", "maintainer_email", "license"}
    | {"license_expression", "license_file", "license_files", "classifiers", "requires", "provides", "obsoletes"}
    | {"requires_dist", "provides_dist", "obsoletes_dist", "requires_python", "requires_external", "project_urls"}
    | {"description_content_type", "provides_extra", "dynamic", "import_name", "import_names", "import_namespace"}
    | {"import_namespaces", "pyversion", "filetype", "protocol_version", ":action", *DIGESTS}
)
"""The text fields; one that is sent as a file is refused."""

ENDINGS = MappingProxyType({"bdist_wheel": ".whl", "sdist": ".tar.gz"})
REQUIRED = ("name", "version", "filetype", "metadata_version")
RETIRED = ("submit", "submit_pkg_info", "doc_upload")
"""Actions of old clients that were removed from the protocol."""
CLIENT = "upload with a current twine or uv"
LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class UploadForm:
    """A valid form. ``name`` and ``version`` as written; ``digests``: those in the form, by field."""

    name: str
    version: str
    filename: str
    filetype: str
    digests: Mapping[str, str]
    fields: Mapping[str, Sequence[str]]

    def values(self, field: str) -> list[str]:
        """The non-empty values of a field."""
        return [value for value in self.fields.get(field, ()) if not is_absent(value)]

    @property
    def project(self) -> str:
        """The name, normalised."""
        return str(canonicalize_name(self.name))


def is_absent(value: str) -> bool:
    """Whether a value is a placeholder: old tools write UNKNOWN, uv sends an empty ``requires_python``."""
    return value.strip() in ("", "UNKNOWN")


def check_action(actions: Sequence[str]) -> None:
    """Check the ``:action`` of the query or form. Raises MarketplaceError ``gone`` for a retired one, ``bad-form``."""
    for action in actions:
        if action in RETIRED:
            message = f"the action {action!r} of the upload protocol was retired"
            raise MarketplaceError("gone", message, fix="upload the file without a separate registration")
        if action != "file_upload":
            raise _bad(f"the :action {quote(action)} is unknown", "send :action=file_upload")
    if not actions:
        raise _bad("the form has no :action", "send :action=file_upload")


def read_form(fields: Mapping[str, Sequence[str]], filename: str | None) -> UploadForm:
    """Validate the form; ``filename`` is the name of its file ``content``. Raises MarketplaceError ``bad-form``."""
    for protocol in fields.get("protocol_version", ()):
        if protocol != "1":
            raise _bad(f"the protocol_version {quote(protocol)} is unknown", "send protocol_version=1, or none")
    _check_lengths(fields)
    single = {field: _single(fields, field) for field in REQUIRED}
    if filename is None:
        raise _bad("the form has no file 'content'", CLIENT)
    check_release(single["name"], single["version"])
    _check_filename(filename, single["filetype"])
    return UploadForm(
        name=single["name"],
        version=single["version"],
        filename=filename,
        filetype=single["filetype"],
        digests=_digests(fields),
        fields=MappingProxyType(dict(fields)),
    )


def _single(fields: Mapping[str, Sequence[str]], field: str) -> str:
    values = [value.strip() for value in fields.get(field, ()) if not is_absent(value)]
    if not values:
        raise _bad(f"the form has no {field}", CLIENT)
    if len(set(values)) > 1:
        raise _bad(f"the form has two values of {field}: {quote(values[0])} and {quote(values[1])}", "send one")
    return values[0]


def _check_lengths(fields: Mapping[str, Sequence[str]]) -> None:
    for field, values in fields.items():
        # The names are those of the metadata; one field is plural in the form.
        most = LONGEST.get(field.replace("_", "-").removesuffix("s"))
        longest = max(map(len, values), default=0)
        if most is not None and longest > most:
            raise _bad(f"a {field} of the form has {longest} characters", f"use at most {most}")


def check_release(name: str, version: str) -> None:
    """Check the name of a project and the version of a release. Raises MarketplaceError ``bad-form``."""
    try:
        canonicalize_name(name, validate=True)
    except InvalidName as error:
        fix = "use letters and digits, with . _ - between them"
        raise _bad(f"{quote(name)} is not a valid project name", fix) from error
    if len(name) > LONGEST_NAME:
        raise _bad(f"the name {quote(name)} has {len(name)} characters", f"use at most {LONGEST_NAME}")
    try:
        if len(version) > LONGEST["version"]:
            raise InvalidVersion(version)
        Version(version)
    except InvalidVersion as error:
        fix = f"write it like 1.2.0 (PEP 440), in at most {LONGEST['version']} characters"
        raise _bad(f"{quote(version)} is not a valid version", fix) from error


def _check_filename(filename: str, filetype: str) -> None:
    if filetype not in ENDINGS:
        raise _bad(f"the filetype {quote(filetype)} is not accepted", "upload a bdist_wheel or an sdist")
    if not re.fullmatch(r"[A-Za-z0-9][!-.0-~]{0,253}", filename) or "\\" in filename:
        fix = "name it as build tools do, without a path"
        raise _bad(f"{quote(filename)} is not a valid file name", fix)
    if not filename.endswith(ENDINGS[filetype]):
        fix = f"a {filetype} ends in {ENDINGS[filetype]}"
        raise _bad(f"the file {quote(filename)} does not look like a {filetype}", fix)


def _digests(fields: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
    given = {field for field in DIGESTS if any(value.strip() for value in fields.get(field, ()))}
    found = {field: _single(fields, field).lower() for field in given}
    if not found:
        message = f"the form has no digest of the file: none of {', '.join(DIGESTS)}"
        raise MarketplaceError("bad-digest", message, fix=CLIENT)
    return MappingProxyType(found)


def _bad(message: str, fix: str) -> MarketplaceError:
    return MarketplaceError("bad-form", message, fix=fix)
