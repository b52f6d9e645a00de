from multistage.storage import durable


def test_a_file_is_written_only_where_it_differs(tmp_path):
    file = tmp_path / "file"
    assert durable.update(file, b"one")
    before = file.stat().st_ino, file.stat().st_mtime_ns
    assert not durable.update(file, b"one")
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == before
    assert durable.update(file, b"two")
    assert file.read_bytes() == b"two"
