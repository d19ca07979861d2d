"""Files as bytes and as lines of UTF-8: decompressed by content, byte order marks understood."""

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import zstandard

from tutelage.errors import DataError

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_REFUSED = {b"\xfd7zXZ\0": ("xz", "unxz FILE"), b"BZh": ("bzip2", "bunzip2 FILE")}
_CHUNK = 1 << 16
_COMPRESSED_CHUNK = 1 << 11  # at worst, Zstandard makes 64 MiB of it
_LARGEST, _GROWTH = 1 << 26, 100  # bytes that any compressed file may become; beyond them, so many times its size
_MARKS = ((codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"))
_MARKS_16 = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
# Without a mark, two letters of ASCII show it by their zeros (RFC 4627, section 3).
_ZEROS: dict[tuple[bool, ...], str] = {(False, True, False, True): "utf-16-le", (True, False, True, False): "utf-16-be"}
SAVE_AS_UTF8 = "save the file as UTF-8"

DAMAGED = (EOFError, zlib.error, zstandard.ZstdError, gzip.BadGzipFile)
"""What reading a stream raises when the compressed file is cut off or broken."""


class _Zstd(io.RawIOBase):
    """Decompressed Zstandard frames. Unlike the library's own reader it notices when the last frame is cut off."""

    def __init__(self, compressed: io.BufferedReader) -> None:
        self._compressed = compressed
        self._frame: Any = None
        self._pending = memoryview(b"")

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`; 0 at the end.

        Raises:
            EOFError: the last frame is incomplete.
        """
        while not self._pending:
            if not self._fill():
                return 0
        count = min(len(buffer), len(self._pending))
        buffer[:count] = self._pending[:count]
        self._pending = self._pending[count:]
        return count

    def _fill(self) -> bool:
        chunk = self._frame.unused_data if self._frame and self._frame.eof else b""
        chunk = chunk or self._compressed.read(_COMPRESSED_CHUNK)
        if not chunk:
            if self._frame and not self._frame.eof:
                raise EOFError("the last Zstandard frame is incomplete")
            return False
        if self._frame is None or self._frame.eof:
            self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._pending = memoryview(self._frame.decompress(chunk))
        return True


class _Bounded(io.RawIOBase):
    """The bytes of another stream, up to a limit: a small file that becomes an endless one is refused."""

    def __init__(self, plain: io.RawIOBase | gzip.GzipFile, path: str) -> None:
        self._plain, self._path = plain, path
        self._size = os.path.getsize(path)
        self._left = max(_LARGEST, _GROWTH * self._size)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`; 0 at the end.

        Raises:
            DataError: the limit is reached.
        """
        count = self._plain.readinto(buffer) or 0
        self._left -= count
        if self._left < 0:
            found = f"{self._size:,} bytes become more than {max(_LARGEST, _GROWTH * self._size):,} when decompressed"
            expected = f"at most {_GROWTH} times as many, or {_LARGEST:,}"
            raise DataError(
                found,
                code="unreadable-file",
                place=self._path,
                expected=expected,
                remedy="if that is meant, decompress it first",
            )
        return count


@contextmanager
def opened(path: str) -> Iterator[io.BufferedReader]:
    """The bytes of a file, decompressed where its first bytes say gzip or Zstandard, whatever its ending.

    Raises:
        DataError: it is compressed otherwise; while reading, it grows beyond all measure (a decompression bomb).
    """
    with open(path, "rb") as raw:
        magic = raw.peek(6)
        if magic.startswith(_GZIP):
            with gzip.GzipFile(fileobj=raw) as plain:
                yield io.BufferedReader(_Bounded(plain, path), _CHUNK)
        elif magic.startswith(_ZSTD):
            yield io.BufferedReader(_Bounded(_Zstd(raw), path), _CHUNK)
        else:
            _refuse_other(magic, path)
            yield raw


def _refuse_other(magic: bytes, path: str) -> None:
    for mark, (name, command) in _REFUSED.items():
        if magic.startswith(mark):
            raise DataError(
                f"compressed with {name}",
                code="unreadable-file",
                place=path,
                expected="gzip or Zstandard",
                remedy=command,
            )


def lines(stream: io.BufferedReader, file: str) -> Iterator[bytes]:
    """The lines as UTF-8 bytes with their line ends, byte order mark removed.

    UTF-16 and UTF-32, known by their marks or zeros, are decoded in memory. UTF-8 is not validated here: whoever
    decodes a line knows its number.

    Raises:
        DataError: broken UTF-16 or UTF-32, with its line.
    """
    encoding = _encoding(stream)
    if encoding in ("utf-8", "utf-8-sig"):
        stream.read(len(codecs.BOM_UTF8) if encoding == "utf-8-sig" else 0)
        yield from stream
        return
    data = stream.read()
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, errors="ignore").count("\n") + 1
        found = f"{error.reason} in {encoding}"
        raise DataError(
            found, code="unreadable-file", place=f"{file}:{line}", expected=encoding, remedy=SAVE_AS_UTF8
        ) from None
    yield from (line.encode() for line in io.StringIO(text, newline="\n"))


def decode(data: bytes, file: str) -> str:
    """The UTF-8 bytes of a whole file as text.

    Raises:
        DataError: not UTF-8, with the line of the first wrong byte.
    """
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        place = f"{file}:{data.count(10, 0, error.start) + 1}"
        raise DataError(
            wrong_byte(error), code="unreadable-file", place=place, expected="UTF-8", remedy=SAVE_AS_UTF8
        ) from None


def wrong_byte(error: UnicodeDecodeError) -> str:
    """The first byte that is not UTF-8 and what stands before it."""
    before = error.object[max(0, error.start - 30) : error.start].decode(errors="replace")
    return f"byte 0x{error.object[error.start]:02x} is not UTF-8, after {before!r}"


def _encoding(stream: io.BufferedReader) -> str:
    first = stream.peek(4)
    # UTF-32 is asked before UTF-16, whose little-endian mark is its beginning.
    marked = next((name for mark, name in (*_MARKS, *_MARKS_16) if first.startswith(mark)), None)
    return marked or _ZEROS.get(tuple(byte == 0 for byte in first[:4]), "utf-8")
