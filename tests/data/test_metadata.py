"""Tables: a cell is read as it is meant, or refused with its line, or counted; never anything else."""

import json

import pytest

from tfvae.data import metadata


def read(root, name, content):
    (root / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return metadata.read(root / name)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("file_name,caption\na.png,one\nb.png,a dog, running\n", "line 3: 3 cells for 2 columns"),
        ('file_name,caption\na.png,one\nb.png,"a dog\nc.png,one\n', "line 3: unexpected end of data"),
        ('file_name,caption\na.png,"a dog\nb.png,"one"\n', "line 2: ',' expected"),
        ('file_name,label\na.png,"cat\nb.png,dog"\n', "line 2: `label` must be one line"),
        ('file_name,caption\na.png,"two\nlines"\n\nb.png,a,b\n', "line 5: 3 cells"),
        ("filename,label\na.png,cat\n", "line 1: .* no `file_name`"),
        ("file_name;label\na.png;cat\n", "line 1: .* commas"),
        ("file_name,labels\na.png,cat\n", "line 2: `labels` .* `label` meant"),
        ("file_name,class\na.png,cat\n", "line 2: `class` .* `label` meant"),
        ("file_name,captoin\na.png,a cat\n", "line 2: `captoin` .* `caption` meant"),
        ("file_name,label,label\na.png,cat,dog\n", "line 1: two columns are called `label`"),
        ("file_name,label,Label\na.png,cat,dog\n", "line 1: two columns are called `label`"),
        ("file_name,image\na.png,b.png\n", "line 2: `file_name` and `image` name the same"),
        ("file_name,label\na.png,1\nb.png,01\n", "line 3: the label '01' .* '1' .*line 2"),
        ("file_name,label\na.png,1\nb.png,1.0\n", "line 3: the label '1.0'"),
        ("file_name,label\na.png,caf\u00e9\n".encode("latin-1"), "line 2: `label` is not UTF-8"),
        ("file_name,label\n\u00e9.png,cat\n".encode("latin-1"), "line 2: `image` is not UTF-8"),
        ("file_name,tags\na.png,caf\u00e9\n".encode("latin-1"), "line 2: `tags` is not UTF-8"),
        ("file_name,label\na.png,cat\n".encode("utf-16-le"), "UTF-16 without its mark"),
        ("file_name,label\na.png,cat\n".encode("utf-16")[:-1], "begins as UTF-16"),
    ],
)
def test_a_table_that_could_mean_something_else_is_refused_with_its_line(tmp_path, text, told):
    with pytest.raises(ValueError, match=told):
        read(tmp_path, "metadata.csv", text)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (['{"filename": "a.png", "label": "cat"}'], "line 1: `filename` .* `file_name` meant"),
        (['{"file_name": "a.png"}', '{"file_name": "b.png", "labels": "cat"}'], "line 2: `labels`"),
        (['{"file_name": "a.png", "label": "cat", "label": "dog"}'], "line 1: .*`label` is given twice"),
        (['{"file_name": "a.png", "label": "cat", "Label": "dog"}'], "line 1: two columns"),
        (['{"file_name": "a.png", "label": 1}', '{"file_name": "b.png", "label": "01"}'], "line 2: the label '01'"),
        (['{"file_name": "a.png", "label": "1.0"}', '{"file_name": "b.png", "label": 1}'], "line 2: the label '1'"),
        (['{"file_name": "a.png", "label": "cut \\ud83d"}'], "line 1: `label` is not UTF-8"),
        (['{"file_name": "a.png", "factors.x": NaN}'], "line 1: the factor `x` must be a finite number"),
        (['{"label": "cat"}'], "line 1: give an object with a string `file_name`"),
    ],
)
def test_lines_of_json_that_could_mean_something_else_are_refused(tmp_path, lines, told):
    with pytest.raises(ValueError, match=told):
        read(tmp_path, "metadata.jsonl", "\n".join(lines))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", metadata.NAMES)
def test_encodings_that_say_what_they_are_read_alike(tmp_path, name, encoding):
    text = (
        "file_name,label\na.png,caf\u00e9\n" if name.endswith("csv") else '{"file_name": "a.png", "label": "caf\u00e9"}'
    )
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    [row], repairs = read(tmp_path, name, (mark + text).encode(encoding))
    assert (row.file_name, row.values, repairs) == ("a.png", {"label": "caf\u00e9"}, {})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('file_name,label,caption\na.png, cat, "a dog, running"\n', {"label": "cat", "caption": ("a dog, running",)}),
        ('file_name,caption\na.png,"two\r\nlines"\n', {"caption": ("two\r\nlines",)}),
        ('file_name,caption\na.png,a 5" disk\n', {"caption": ('a 5" disk',)}),
        ('file_name,caption\na.png,"the ""red"" dog"\n', {"caption": ('the "red" dog',)}),
        ("file_name,label\na.png,cat,,\n", {"label": "cat"}),
        ("File Name,Label\na.png,cat\n", {"label": "cat"}),
        ("image,text\na.png,a dog\n", {"caption": ("a dog",)}),
        ("file_name,label\na.png\n", {}),
    ],
)
def test_tables_are_read_as_they_are_meant(tmp_path, text, values):
    [row], repairs = read(tmp_path, "metadata.csv", text)
    assert (row.file_name, row.values, repairs) == ("a.png", values, {})


@pytest.mark.parametrize("unknown", ["NaN", "nan", "null", "<NA>"])
def test_what_is_not_known_is_empty_and_counted(tmp_path, unknown):
    rows, repairs = read(
        tmp_path, "metadata.csv", f"file_name,label,caption\na.png,{unknown},{unknown}\nb.png,None,x\n"
    )
    assert [row.values for row in rows] == [{}, {"label": "None", "caption": ("x",)}]
    assert dict(repairs) == {f"{name} unknown (`{unknown}`), taken for empty": 1 for name in ("label", "caption")}
    rows, repairs = read(tmp_path, "metadata.jsonl", '{"file_name": "a.png", "label": NaN, "caption": null}')
    assert rows[0].values == {} and dict(repairs) == {"label unknown (`nan`), taken for empty": 1}


def test_a_number_of_json_is_one_label_however_it_is_written(tmp_path):
    lines = [json.dumps({"file_name": f"{label}.png", "label": label}) for label in (1, 1.0, "1")]
    rows, _ = read(tmp_path, "metadata.jsonl", "\n".join(lines))
    assert {row.values["label"] for row in rows} == {"1"}


def test_columns_that_are_not_read_are_counted_and_named(tmp_path):
    _, repairs = read(tmp_path, "metadata.csv", ",file_name,caption,text,image_id\n0,a.png,a,b,3\n1,b.png,c,d,4\n")
    assert dict(repairs) == {f"column `{name}` is not read": 2 for name in ("", "text", "image_id")}


@pytest.mark.parametrize(
    ("word", "split"),
    [("train", "train"), ("Training", "train"), ("val", "validation"), ("valid", "validation"), ("dev", "validation"),
     ("test", "test"), ("Testing", "test"), ("eval", "test"), ("evaluation", "test"), ("holdout", None)],
)  # fmt: skip
def test_the_words_for_splits_are_those_of_image_folders(word, split):
    assert metadata.split_name(word) == split
