"""Arrays from files of strangers: read as NumPy reads them, or refused before anything is allocated."""

import contextlib
import io
import zipfile

import numpy as np
import pytest

from tfvae.storage import numpy_files

ARRAYS = {
    "bytes": np.arange(24, dtype=np.uint8).reshape(2, 3, 4), "floats": np.linspace(0, 1, 7),
    "columns first": np.asfortranarray(np.arange(6).reshape(2, 3)), "texts": np.array(["a", "größe"]),
    "a number": np.array(3.5), "none": np.zeros([0, 3], np.float32), "big endian": np.arange(3, dtype=">i4"),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_are_read_as_they_were_written(tmp_path, name):
    np.save(tmp_path / "one.npy", ARRAYS[name])
    np.testing.assert_array_equal(numpy_files.read(tmp_path / "one.npy"), ARRAYS[name])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_is_read_whole_or_in_part(tmp_path, save):
    save(tmp_path / "all.npz", **ARRAYS)
    found = numpy_files.read_archive(tmp_path / "all.npz")
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    assert numpy_files.read_archive(tmp_path / "all.npz", ("texts", "missing")).keys() == {"texts"}


def header(shape, dtype="<f4"):
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(out, {"descr": dtype, "fortran_order": False, "shape": shape})
    return out.getvalue()


def saved(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


WHOLE = saved(np.ones([4, 5], np.float32))
DAMAGED = {
    "empty": b"", "a text": b"images, labels\n", "half a header": WHOLE[:40], "cut": WHOLE[:-1],
    "a terabyte": header((1 << 38,)) + b"\0" * 64, "more than can be counted": header((1 << 62, 1 << 62)) + b"\0" * 64,
    "a negative side": header((-1, 4)) + b"\0" * 64, "objects": header((1,), "|O") + b"\0" * 64,
    "another version": WHOLE[:6] + b"\x09\0" + WHOLE[8:],
    "no header": WHOLE[:10] + b"(" * (len(WHOLE) - 10),
}  # fmt: skip


@pytest.mark.parametrize("fault", DAMAGED)
def test_what_is_no_array_is_refused_by_the_name_of_its_file(tmp_path, survives, fault):
    (tmp_path / "one.npy").write_bytes(DAMAGED[fault])
    with survives(f"59 an array: {fault}"):
        with pytest.raises(numpy_files.UnreadableArrays, match=r"one\.npy is no \.npy file"):
            numpy_files.read(tmp_path / "one.npy")
        with zipfile.ZipFile(tmp_path / "all.npz", "w") as archive:
            archive.writestr("images.npy", DAMAGED[fault])
        with pytest.raises(numpy_files.UnreadableArrays, match=r"all\.npz is not an \.npz file"):
            numpy_files.read_archive(tmp_path / "all.npz")


def test_an_archive_that_lies_about_its_sizes_is_refused(tmp_path, survives):
    """The size of a member, in its own header and in the directory, made to fit what the array promises."""
    np.savez(tmp_path / "all.npz", images=np.ones([4, 5], np.float32))
    lie = header((1 << 29,)) + b"\0" * 80
    with zipfile.ZipFile(tmp_path / "lying.npz", "w") as archive:
        archive.writestr("images.npy", lie)
    content = bytearray((tmp_path / "lying.npz").read_bytes())
    true, false = (len(lie)).to_bytes(4, "little"), (len(lie) + (1 << 31)).to_bytes(4, "little")
    assert content.count(true + true) == 2
    (tmp_path / "lying.npz").write_bytes(content.replace(true + true, true + false))
    with survives("59 an archive that lies"), pytest.raises(numpy_files.UnreadableArrays, match="promises"):
        numpy_files.read_archive(tmp_path / "lying.npz")


@pytest.mark.parametrize("seed", range(10))
def test_no_flipped_byte_changes_an_array(tmp_path, seed, survives):
    rng = np.random.default_rng(seed)
    arrays = {"images": np.arange(60, dtype=np.uint8), "labels": np.arange(4)}
    np.savez_compressed(tmp_path / "all.npz", **arrays)
    content = np.frombuffer((tmp_path / "all.npz").read_bytes(), np.uint8).copy()
    for place in rng.integers(0, len(content), 40):
        changed = content.copy()
        changed[place] ^= rng.integers(1, 256)
        (tmp_path / "changed.npz").write_bytes(changed.tobytes())
        with survives("60 a byte of an archive"), contextlib.suppress(numpy_files.UnreadableArrays):
            for name, array in numpy_files.read_archive(tmp_path / "changed.npz", ("images", "labels")).items():
                np.testing.assert_array_equal(array, arrays[name])
