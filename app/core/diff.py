"""The bytes of a diff → what it changes, file by file.

    bytes ── parse ──► (FileDiff, …)          bytes of one file ── lines ──► ["first line", "second line", …]

The reader trusts two things only: the line counts in each hunk's header, and the line feed as the end of a line. So
content that looks like a header stays content, and a form feed or a lone carriage return inside a line forges nothing.
Formats: https://git-scm.com/docs/diff-format#generate_patch_text_with_p and
https://www.gnu.org/software/diffutils/manual/html_node/Detailed-Unified.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from app.core.change import FileDiff, FileStatus, Hunk

GIT_HEADER = b"diff --git "
COMBINED_HEADERS = (b"diff --cc ", b"diff --combined ", b"@@@ ")
NO_FILE = b"/dev/null"

# Ten digits are more lines than any file has, and few enough for every integer conversion.
HUNK_HEADER = re.compile(rb"@@ -(\d{1,10})(?:,(\d{1,10}))? \+(\d{1,10})(?:,(\d{1,10}))? @@(.*)", re.DOTALL)
PLAIN_BINARY = re.compile(rb"Binary files (.+) and (.+) differ", re.DOTALL)
INDEX_MODE = re.compile(rb"index [0-9a-f]+\.\.[0-9a-f]+ ([0-7]{6})")
MODE = re.compile(rb"[0-7]{6}")

_PLUS, _MINUS, _SPACE, _BACKSLASH, _NEWLINE, _QUOTE = b'+- \\\n"'
_ESCAPES = {ord(letter): value for letter, value in zip("abtnvfr", b"\a\b\t\n\v\f\r", strict=True)}


class UnsupportedDiff(ValueError):
    """The bytes are no diff that can be read in full; the message says where and why, for the person who gave them."""


def parse(data: bytes) -> tuple[FileDiff, ...]:
    """Every file of a diff, in the diff's order; text around the files (a mail's head, a signature) is passed over.

    Takes what `git diff`, `git format-patch`, `diff -u` and `svn diff` print. Text is decoded as UTF-8 with replacement
    characters, paths with surrogates. Raises `UnsupportedDiff` for combined diffs, series of patches, and hunks that are cut off.
    """
    reader = _Reader(data)
    files: list[FileDiff] = []
    while not reader.at_end:
        line = reader.peek()
        if line.startswith(GIT_HEADER):
            _add(files, _git_file(reader))
        elif line.startswith(COMBINED_HEADERS):
            raise reader.error("a combined diff of a merge; compare two commits instead")
        elif reader.at_plain_file:
            files.append(_plain_file(reader))
        elif (names := PLAIN_BINARY.fullmatch(line)) is not None:
            files.append(_plain_binary(names))
            reader.skip()
        elif HUNK_HEADER.fullmatch(line):
            raise reader.error("a hunk that belongs to no file")
        else:
            reader.skip()
    _refuse_series(files)
    return tuple(files)


def lines(data: bytes) -> list[str]:
    """The lines of a file's content, decoded as `parse` decodes them and split where git splits them."""
    found = data.decode("utf-8", "replace").split("\n")
    if not found[-1]:
        found.pop()
    return found


class _Reader:
    """A position in the diff, moving forward line by line."""

    __slots__ = ("data", "position")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0

    @property
    def at_end(self) -> bool:
        return self.position >= len(self.data)

    @property
    def at_plain_file(self) -> bool:
        """Whether a file without git's header begins here: its two names and a first hunk."""
        if not self.data.startswith(b"--- ", self.position):
            return False
        second = self._end_of_line(self.position) + 1
        third = self._end_of_line(second) + 1
        return self.data.startswith(b"+++ ", second) and self.data.startswith(b"@@ -", third)

    def peek(self) -> bytes:
        """The line here, without its end. A diff saved with CRLF has them on its headers too."""
        return self.data[self.position : self._end_of_line(self.position)].removesuffix(b"\r")

    def skip(self) -> None:
        self.position = self._end_of_line(self.position) + 1

    def take(self) -> bytes:
        line = self.peek()
        self.skip()
        return line

    def error(self, why: str) -> UnsupportedDiff:
        number = self.data.count(b"\n", 0, self.position) + 1
        return UnsupportedDiff(f"line {number} of the diff: {why}")

    def _end_of_line(self, start: int) -> int:
        end = self.data.find(b"\n", start)
        return end if end >= 0 else len(self.data)


def _refuse_series(files: list[FileDiff]) -> None:
    """Patches that follow each other count their lines in files that lie between base and head: nothing stands there."""
    seen: set[str] = set()
    for file in files:
        if file.path in seen:
            raise UnsupportedDiff(
                f"{file.path!r} is changed twice: this is a series of patches; give one diff of them all"
            )
        seen.add(file.path)


def _add(files: list[FileDiff], file: FileDiff) -> None:
    """One file for a change of type (a file became a link), which git prints as a deletion and an addition."""
    before = files[-1] if files else None
    if before is None or (before.path, before.status, file.status) != (file.path, FileStatus.DELETED, FileStatus.ADDED):
        files.append(file)
        return
    files[-1] = replace(
        file,
        status=FileStatus.TYPE_CHANGED,
        hunks=before.hunks + file.hunks,
        old_mode=before.old_mode,
        binary=before.binary or file.binary,
    )


@dataclass(slots=True)
class _Header:
    """What the lines between `diff --git` and the first hunk say."""

    names: bytes
    old_mode: bytes | None = None
    new_mode: bytes | None = None
    moved_from: bytes | None = None
    moved_to: bytes | None = None
    shown: tuple[bytes, bytes] | None = None
    status: FileStatus = FileStatus.MODIFIED
    binary: bool = False


def _git_file(reader: _Reader) -> FileDiff:
    start = reader.position
    header = _Header(reader.take()[len(GIT_HEADER) :])
    while not reader.at_end and _read_header_line(header, reader.peek()):
        reader.skip()
    if not reader.at_end and reader.data.startswith(b"--- ", reader.position):
        _read_names(header, reader)
    hunks = _hunks(reader)
    old, new = _paths(header, reader, start)
    return FileDiff(
        path=_decode_path(new),
        status=header.status,
        hunks=hunks,
        old_path=_decode_path(old) if old != new else None,
        old_mode=_decode_mode(header.old_mode),
        new_mode=_decode_mode(header.new_mode),
        binary=header.binary,
    )


def _read_header_line(header: _Header, line: bytes) -> bool:  # noqa: C901 - one branch a header, as git's page lists them.
    """Takes what one extended header says; False when the line is none of them."""
    if line.startswith(b"index "):
        mode = INDEX_MODE.fullmatch(line)
        if mode:
            header.old_mode = header.new_mode = mode[1]
    elif line.startswith(b"old mode "):
        header.old_mode = line[9:]
    elif line.startswith(b"new mode "):
        header.new_mode = line[9:]
    elif line.startswith(b"new file mode "):
        header.status, header.new_mode = FileStatus.ADDED, line[14:]
    elif line.startswith(b"deleted file mode "):
        header.status, header.old_mode = FileStatus.DELETED, line[18:]
    elif line.startswith(b"rename from "):
        header.status, header.moved_from = FileStatus.RENAMED, _unquote(line[12:])
    elif line.startswith(b"rename to "):
        header.moved_to = _unquote(line[10:])
    elif line.startswith(b"copy from "):
        header.status, header.moved_from = FileStatus.COPIED, _unquote(line[10:])
    elif line.startswith(b"copy to "):
        header.moved_to = _unquote(line[8:])
    elif line.startswith((b"Binary files ", b"Binary file ")) or line == b"GIT binary patch":
        header.binary = True
    elif not line.startswith((b"similarity index ", b"dissimilarity index ")):
        return False
    return True


def _read_names(header: _Header, reader: _Reader) -> None:
    old = reader.take()
    if reader.at_end or not reader.data.startswith(b"+++ ", reader.position):
        raise reader.error("a file's old name without its new one")
    header.shown = _name(old), _name(reader.take())


def _name(line: bytes) -> bytes:
    """The path of a `---` or `+++` line. Git ends a path that holds a space with a tab; others put a date behind it."""
    name = line[4:]
    return _unquote(name) if name.startswith(b'"') else name.partition(b"\t")[0]


def _paths(header: _Header, reader: _Reader, start: int) -> tuple[bytes, bytes]:
    """Old and new path: a move's own headers have them bare, otherwise both are the same behind their prefixes."""
    if header.moved_from is not None and header.moved_to is not None:
        return header.moved_from, header.moved_to
    same = _same_name(header.names)
    if same is not None:
        return same, same
    if header.shown is not None:
        return _strip_prefixes(*header.shown)
    reader.position = start
    raise reader.error("a file whose name cannot be told from its header")


def _same_name(names: bytes) -> bytes | None:
    """The path in `a/PATH b/PATH`: the halves are equal behind the prefix, whatever spaces the path holds."""
    if names.startswith(b'"'):
        first_end = _closing_quote(names)
        old, new = _unquote(names[:first_end]), _unquote(names[first_end + 1 :])
        return _behind_prefix(old, new)
    middle = len(names) // 2
    if names[middle : middle + 1] != b" ":
        return None
    return _behind_prefix(names[:middle], names[middle + 1 :])


def _behind_prefix(old: bytes, new: bytes) -> bytes | None:
    if old == new:
        return new  # Written with diff.noprefix: with prefixes the two would differ.
    old_rest, new_rest = old.partition(b"/")[2], new.partition(b"/")[2]
    return new_rest if old_rest == new_rest and new_rest else None


def _strip_prefixes(old: bytes, new: bytes) -> tuple[bytes, bytes]:
    """Both paths without the prefix that they have in front of a common rest, or the usual `a/` and `b/`."""
    if old == NO_FILE:
        new = new.removeprefix(b"b/")
        return new, new
    if new == NO_FILE:
        old = old.removeprefix(b"a/")
        return old, old
    rest = _behind_prefix(old, new)
    if rest is not None:
        return rest, rest
    if old.startswith(b"a/") and new.startswith(b"b/"):
        return old[2:], new[2:]
    return old, new


def _plain_file(reader: _Reader) -> FileDiff:
    """A file of `diff -u` or `svn diff`: names and hunks only; the first hunk's counts say what happened."""
    old, new = _name(reader.take()), _name(reader.take())
    hunks = _hunks(reader)
    first = hunks[0]
    status = FileStatus.MODIFIED
    if old == NO_FILE or first.old_start == first.old_count == 0:
        status = FileStatus.ADDED
    elif new == NO_FILE or first.new_start == first.new_count == 0:
        status = FileStatus.DELETED
    return FileDiff(path=_decode_path(_strip_prefixes(old, new)[1]), status=status, hunks=hunks)


def _plain_binary(names: re.Match[bytes]) -> FileDiff:
    return FileDiff(path=_decode_path(_strip_prefixes(names[1], names[2])[1]), status=FileStatus.MODIFIED, binary=True)


def _hunks(reader: _Reader) -> tuple[Hunk, ...]:
    hunks: list[Hunk] = []
    while reader.data.startswith(b"@@ ", reader.position):
        header = HUNK_HEADER.fullmatch(reader.peek())
        if header is None:
            raise reader.error("a hunk whose header cannot be read")
        reader.skip()
        hunks.append(_hunk(reader, header))
    return tuple(hunks)


def _hunk(reader: _Reader, header: re.Match[bytes]) -> Hunk:
    """One hunk. The loop runs once for each line of a diff, so it looks at one byte and makes no value."""
    old_count = int(header[2]) if header[2] else 1
    new_count = int(header[4]) if header[4] else 1
    data, position, end = reader.data, reader.position, len(reader.data)
    old_left, new_left = old_count, new_count
    old_open = new_open = has_blank = False
    pieces: list[bytes] = []
    piece_start = position
    last = mark = None
    while True:
        last, mark = mark, data[position] if position < end else None
        if mark == _BACKSLASH and last is not None:
            # "\ No newline at end of file", in the language of the git that wrote it, speaks of the line above.
            old_open, new_open = old_open or last != _PLUS, new_open or last != _MINUS
            pieces.append(data[piece_start:position])
            piece_start = data.find(b"\n", position) + 1 or end
        elif not (old_left or new_left):
            break
        elif mark == _PLUS and new_left:
            new_left -= 1
        elif mark == _MINUS and old_left:
            old_left -= 1
        elif mark in (_SPACE, _NEWLINE) and old_left and new_left:
            # Some editors and `diff.suppressBlankEmpty` take the one space of an empty context line away.
            has_blank = has_blank or mark != _SPACE
            old_left -= 1
            new_left -= 1
        else:
            reader.position = position
            raise reader.error("a hunk that is shorter than its header says")
        position = data.find(b"\n", position) + 1 or end
    pieces.append(data[piece_start:position])
    reader.position = position
    return Hunk(
        old_start=int(header[1]),
        old_count=old_count,
        new_start=int(header[3]),
        new_count=new_count,
        heading=header[5].strip().decode("utf-8", "replace"),
        body=_body(pieces, has_blank=has_blank),
        old_ends_without_newline=old_open,
        new_ends_without_newline=new_open,
    )


def _body(pieces: list[bytes], *, has_blank: bool) -> tuple[str, ...]:
    body = lines(b"".join(pieces))
    if has_blank:
        body = [line or " " for line in body]
    return tuple(body)


def _closing_quote(quoted: bytes) -> int:
    """The position behind the quote that closes the one at the start, or the end."""
    position = 1
    while position < len(quoted) and quoted[position] != _QUOTE:
        position += 2 if quoted[position] == _BACKSLASH else 1
    return position + 1


def _unquote(name: bytes) -> bytes:
    """A path as git writes it: C-style quoted when it holds a quote, a backslash, or a byte that git will not print."""
    if not name.startswith(b'"'):
        return name
    found = bytearray()
    position, end = 1, _closing_quote(name) - 1
    while position < end:
        byte = name[position]
        if byte != _BACKSLASH:
            found.append(byte)
            position += 1
            continue
        octal = name[position + 1 : position + 4]
        if re.fullmatch(rb"[0-3][0-7]{2}", octal):
            found.append(int(octal, 8))
            position += 4
        else:
            found += bytes(_ESCAPES.get(letter, letter) for letter in octal[:1])
            position += 2
    return bytes(found)


def _decode_path(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _decode_mode(mode: bytes | None) -> str | None:
    return mode.decode() if mode is not None and MODE.fullmatch(mode) else None
