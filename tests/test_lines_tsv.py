"""The table of a folder of lines: what is written is read again, by hand mended ones too, and damage is named."""

import pytest

from text_recognizer.learning.datasets.own_folder import folder_lines
from text_recognizer.lines_tsv import read_table, table_bytes

COLUMNS = ("line_id", "split", "writer", "text", "sha256", "source")
ROWS = [("a-1", "train", "Zoë", '"Où?" dit-il', "0", "mine"), ("a-2", "val", "", "x", "1", "mine")]


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "lines.tsv"
    path.write_bytes(table_bytes(COLUMNS, ROWS))
    table = read_table(path)
    assert table.columns == COLUMNS
    assert [(number, tuple(row.values())) for number, row in table.records()] == [(2, ROWS[0]), (3, ROWS[1])]


def test_a_table_saved_on_windows_is_the_same_table(tmp_path):
    plain, saved = tmp_path / "plain.tsv", tmp_path / "saved.tsv"
    plain.write_bytes(table_bytes(COLUMNS, ROWS))
    saved.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert read_table(saved).columns == COLUMNS
    assert read_table(saved).rows == read_table(plain).rows


def test_torn_rows_are_named_and_the_others_are_there(tmp_path):
    path = tmp_path / "lines.tsv"
    path.write_bytes(table_bytes(COLUMNS, ROWS) + b"a-3\ttrain\n" * 7)
    table = read_table(path)
    assert [row["line_id"] for _, row in table.whole()] == ["a-1", "a-2"]
    with pytest.raises(ValueError, match=r"lines.tsv, line 4, 5, 6, 7, 8 and 2 more: not as many fields as the head"):
        table.records()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no column line_id, split, writer, text, sha256, source"),
        (b"line_id\ttext\n", "has no column split, writer, sha256, source"),
        (b"\xff\xfe", "is no table in UTF-8"),
        (table_bytes(COLUMNS, ROWS) + b"a-3\ttrain\t\t" + 200_000 * b"x" + b"\t2\tmine\n", "is no table in UTF-8"),
        (table_bytes(COLUMNS, ROWS) + b"a-3\ttrain\t\tno\ttab\t2\tmine\n", "line 4: not as many fields"),
    ],
)
def test_what_is_no_table_is_explained_to_whoever_trains_on_it(tmp_path, content, said):
    (tmp_path / "lines.tsv").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        folder_lines(str(tmp_path), "train")
