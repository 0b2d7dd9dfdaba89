import errno
import fcntl
import os
from pathlib import Path

import pytest

from lib_graph.errors import ConflictError, UsageError
from lib_graph.support.files import locked, whole_file


def write_half(path):
    with whole_file(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt


def test_a_block_that_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "there.txt"
    path.write_text("before")
    for target in (path, tmp_path / "new.txt"):
        with pytest.raises(KeyboardInterrupt):
            write_half(target)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("error", "named"),
    [
        ((errno.ENOSPC, "No space left on device"), True),
        ((errno.EFBIG, "File too large"), True),
        ((errno.EIO, "Input/output error"), False),
    ],
)
def test_a_full_disk_is_said_of_the_file_that_was_asked_for(tmp_path, monkeypatch, error, named):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match=error[1]) as refused, whole_file(Path("answer.txt")):
        raise OSError(*error)
    assert refused.value.filename == ("answer.txt" if named else None)


def test_a_folder_that_takes_no_files_is_said_of_the_file_that_was_asked_for():
    file = Path("/proc/answer.txt")
    with pytest.raises(OSError, match=str(file)) as refused, whole_file(file) as temporary:
        temporary.write_text("")
    assert refused.value.filename == str(file)


def test_a_reader_of_the_old_file_never_sees_the_new_one_grow(tmp_path):
    path = tmp_path / "there.txt"
    path.write_text("before")
    with path.open() as reader:
        with whole_file(path) as temporary:
            temporary.write_text("after")
        assert reader.read() == "before"
    assert path.read_text() == "after"


def test_a_file_may_be_read_by_those_whom_the_umask_lets(tmp_path):
    """Some writers make files for their owner alone."""
    path = tmp_path / "shared.txt"
    before = os.umask(0o027)
    try:
        with whole_file(path) as temporary:
            temporary.touch(mode=0o600)
    finally:
        os.umask(before)
    assert oct(path.stat().st_mode & 0o777) == "0o640"


def test_a_file_cannot_be_held_as_a_folder(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConflictError, match="is a file, not a folder"), locked(file):
        pass


def test_a_folder_is_held_by_one_at_a_time(tmp_path):
    with locked(tmp_path), pytest.raises(ConflictError, match="Another process"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


@pytest.mark.parametrize("there", [False, True])
def test_of_what_is_refused_no_lock_and_no_new_folder_stays(there, tmp_path):
    folder = tmp_path / "folder"
    if there:
        folder.mkdir()
    with pytest.raises(UsageError), locked(folder):
        raise UsageError("refused")
    assert folder.exists() == there
    assert not there or not list(folder.iterdir())
    folder.mkdir(exist_ok=True)
    (folder / "part").touch()
    with pytest.raises(UsageError), locked(folder):
        raise UsageError("refused")
    assert (folder / "part").exists()
    new = tmp_path / "new"
    with pytest.raises(FileExistsError), locked(new):
        _write_twice(new / "part")
    assert (new / "part").exists()


def _write_twice(path):
    for _ in range(2):
        path.touch(exist_ok=False)


def test_what_a_link_names_is_written(tmp_path):
    path, link = tmp_path / "there.txt", tmp_path / "link.txt"
    path.write_text("before")
    link.symlink_to(path)
    with whole_file(link) as temporary:
        temporary.write_text("after")
    assert path.read_text() == "after"
    assert link.is_symlink()


def test_a_pipe_is_not_replaced_by_a_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(UsageError, match="is no ordinary file"), whole_file(pipe):
        pass
    assert pipe.is_fifo()


@pytest.mark.parametrize("folder_too", [False, True])
def test_a_lock_that_goes_while_it_is_taken_is_taken_anew(tmp_path, monkeypatch, folder_too):
    folder, flock = tmp_path / "run", fcntl.flock

    def after_another_gave_up(file, how):
        monkeypatch.setattr(fcntl, "flock", flock)
        (folder / ".lock").unlink()
        if folder_too:
            folder.rmdir()
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", after_another_gave_up)
    with locked(folder):
        assert (folder / ".lock").exists()
        with pytest.raises(ConflictError), locked(folder):
            pass
    with locked(folder):
        pass


def test_a_folder_that_goes_before_its_lock_is_opened_is_made_again(tmp_path, monkeypatch):
    folder, open_file = tmp_path / "run", Path.open

    def after_another_gave_up(path, *mode):
        monkeypatch.setattr(Path, "open", open_file)
        folder.rmdir()
        return open_file(path, *mode)

    monkeypatch.setattr(Path, "open", after_another_gave_up)
    with locked(folder):
        assert (folder / ".lock").exists()


def test_what_was_refused_is_said_though_another_came_to_the_folder(tmp_path, monkeypatch):
    folder, unlink = tmp_path / "run", Path.unlink

    def and_another_comes(path):
        unlink(path)
        path.write_text("")

    monkeypatch.setattr(Path, "unlink", and_another_comes)
    with pytest.raises(ValueError, match="refused"), locked(folder):
        raise ValueError("refused")
