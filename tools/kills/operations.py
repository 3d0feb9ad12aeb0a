"""The operations on files of this process, counted, and its end before any one of them.

What Python does is heard of by the interpreter's own audit events, so that nothing is missed by another name for it;
writes, closes and fsyncs have none, and are watched by what stands before `open` and `os.fsync`. TensorFlow's writer of
records is C++, and stands for `open`, `write` and `close` of its own.
"""

import builtins
import io
import os
import sys
from pathlib import Path

KINDS = ("open", "write", "close", "fsync", "rename", "unlink", "mkdir", "rmdir")
KILLED = 77  # The exit status of a process that ended itself; nothing of its own ran after that.
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_EVENTS = {"os.rename": "rename", "os.remove": "unlink", "os.mkdir": "mkdir", "os.rmdir": "rmdir"}


class Operations:
    """Counts the operations below a folder, in this process and until it ends.

    Args:
        folder: operations elsewhere are not counted.
        fatal: the number of the operation, from 1, that the process ends before; 0 for none.

    Attributes:
        kinds: those of the operations so far.
    """

    def __init__(self, folder, fatal=0):
        self.folder, self.fatal, self.kinds = os.path.realpath(folder), fatal, []
        sys.addaudithook(self._audit)
        builtins.open = io.open = self._opening(io.open)
        os.fsync = self._syncing(os.fsync)
        os.sendfile = self._sending(os.sendfile)
        _watch_record_files(self)

    def happens(self, kind, half=lambda: None):
        """Says that an operation comes next; `half` is done of it where the process ends here."""
        self.kinds.append(kind)
        if len(self.kinds) == self.fatal:
            half()
            os._exit(KILLED)

    def is_below(self, path, folder=-1):
        """Whether a path, maybe relative to an open folder, is counted."""
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        start = os.readlink(f"/proc/self/fd/{folder}") if folder >= 0 else os.getcwd()
        return os.path.join(start, os.fsdecode(path)).startswith(self.folder + os.sep)

    def _audit(self, event, arguments):
        if event == "open":
            path, _, flags = arguments
            if flags & _WRITES and self.is_below(path):
                self.happens("open")
        elif event in _EVENTS:
            folder = arguments[2] if event in ("os.rename", "os.mkdir") else arguments[1]
            if self.is_below(arguments[0], folder):
                self.happens(_EVENTS[event])

    def _opening(self, real):
        def opened(file, mode="r", *args, **kwargs):
            found = real(file, mode, *args, **kwargs)
            return _Watched(found, self) if set(mode) & set("wax+") and self.is_below(file) else found

        return opened

    def _syncing(self, real):
        def fsync(descriptor):
            if self.is_below(os.readlink(f"/proc/self/fd/{descriptor}")):
                self.happens("fsync")
            real(descriptor)

        return fsync

    def _sending(self, real):
        def sendfile(to, source, offset, count):
            if self.is_below(os.readlink(f"/proc/self/fd/{to}")):
                half = os.fstat(source).st_size // 2
                self.happens("write", lambda: real(to, source, offset, half))
            return real(to, source, offset, count)

        return sendfile


class _Watched:
    """An open file whose writes and whose end are counted."""

    def __init__(self, file, operations):
        self._file, self._operations = file, operations

    def write(self, data):
        self._operations.happens("write", lambda: (self._file.write(data[: len(data) // 2]), self._file.flush()))
        return self._file.write(data)

    def close(self):
        if not self._file.closed:
            self._operations.happens("close")
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def __iter__(self):
        return iter(self._file)

    def __getattr__(self, name):
        return getattr(self._file, name)


def _watch_record_files(operations):
    """Stands before TensorFlow's writer, where it was imported."""
    tf = sys.modules.get("tensorflow")
    if tf is None:
        return

    class Writer(tf.io.TFRecordWriter):
        def __init__(self, path, *args, **kwargs):
            self._counts = operations.is_below(path)
            if self._counts:
                operations.happens("open")
            super().__init__(path, *args, **kwargs)

        def write(self, record):
            if self._counts:
                operations.happens("write", lambda: (super(Writer, self).write(record), self.flush()))
            super().write(record)

        def close(self):
            if self._counts:
                operations.happens("close")
            super().close()

    tf.io.TFRecordWriter = Writer


def tree(folder):
    """{path below a folder: its bytes}; folders end with / and have none."""
    return {
        path.relative_to(folder).as_posix() + "/" * path.is_dir(): b"" if path.is_dir() else path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
    }
