"""From the bytes of a file to text in UTF-8: gzip, encodings, and how large it may become."""

from __future__ import annotations

import gzip
import io
import zlib

from chainrule._errors import DataError

ENCODINGS = {"utf-8": "utf-8-sig", "utf-16": "utf-16", "latin-1": "cp1252"}
_ALSO_CALLED = {"utf8": "utf-8", "utf-8-sig": "utf-8", "utf16": "utf-16"}
_ALSO_CALLED |= dict.fromkeys(("latin1", "iso-8859-1", "cp1252", "windows-1252"), "latin-1")
_LARGEST_UNZIPPED = 2**29  # bytes
_CHUNK = 2**22  # bytes
_PACKERS = {
    b"\x1f\x8b": "gzip twice",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
}


def called(encoding: str) -> str:
    """Return our name of an encoding that may be called by another one."""
    lower = encoding.lower().replace("_", "-")
    return _ALSO_CALLED.get(lower, lower)


def decoded(path: str, content: bytes, encoding: str | None) -> tuple[bytes, list[str]]:
    """Return a text as UTF-8, and what was found out about it.

    Parameters
    ----------
    path : str
        For messages.
    content : bytes
    encoding : str, optional
        If it is said; else UTF-16 where a mark says so, UTF-8, or Latin-1 if it is not that.

    Raises
    ------
    DataError
        If it is packed in another way, damaged, or no text.
    """
    if content[:2] == b"\x1f\x8b":
        content = _unzipped(path, content)
    for mark, packer in _PACKERS.items():
        if content.startswith(mark):
            raise DataError(f"{path} is packed by {packer}; unpack it, or pack it by gzip once")
    if content[:4] == b"PK\x03\x04":
        raise DataError(f"{path} is an Excel workbook or another zip file; save the table as CSV")
    marked = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else None
    asked = called(encoding or marked or "utf-8")
    decided = ["encoding UTF-16"] if marked and not encoding else []
    try:
        text = _in_utf_8(content, asked)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        byte = content[error.start]
        if encoding or marked or b"\0" in content:
            raise DataError(
                f"{path}, line {line}: byte 0x{byte:02x} is not {asked}; say another --encoding "
                f"({', '.join(ENCODINGS)}), or save the table as UTF-8 text"
            ) from None
        try:
            text = _in_utf_8(content, "latin-1")
        except UnicodeDecodeError as other:
            line, byte = content[: other.start].count(b"\n") + 1, content[other.start]
            raise DataError(
                f"{path}, line {line}: byte 0x{byte:02x} is neither utf-8 nor latin-1; save the "
                "table as UTF-8 text"
            ) from None
        decided.append("encoding Latin-1 (it is not UTF-8)")
    if b"\0" in text:
        raise DataError(f"{path} is not text: it has a zero byte; give a delimited text file")
    return text, decided


def _in_utf_8(content: bytes, encoding: str) -> bytes:
    text = content.decode(ENCODINGS[encoding])
    if encoding == "utf-8":
        return content.removeprefix(b"\xef\xbb\xbf")
    return text.encode()


def _unzipped(path: str, content: bytes) -> bytes:
    parts, size = [], 0
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            while size <= _LARGEST_UNZIPPED and (part := stream.read(_CHUNK)):
                parts.append(part)
                size += len(part)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is a damaged gzip file: {error}") from None
    if size > _LARGEST_UNZIPPED:
        raise DataError(
            f"{path} unzips to more than {_LARGEST_UNZIPPED:,} bytes; unzip it first if it is meant"
        )
    return b"".join(parts)
