"""The columns of a chart's data in a file: its own fields, with the words that the chart shows."""

from gpt2.engine.engine import Engine
from pages.charts import residual
from pages.charts.columns import columns
from pages.look.palette import LIGHT


def test_the_columns_of_a_chart_have_its_own_fields_and_its_words(engine: Engine) -> None:
    spec = residual.added_bars(engine.run("The old king"), 2, LIGHT).to_dict()
    ((name, fields),) = columns(spec).items()
    assert name == "added" and list(fields) == list(spec["datasets"]["added"][0])
    assert fields["norm"] == "norm (norm of the added vector)" and fields["part"] == "part"
    assert fields["before"] == "before (norm of the stream before)"


def test_a_mark_of_one_row_is_no_table_unless_there_is_no_other() -> None:
    many, one = [{"x": 1}, {"x": 2}], [{"at": 1}]
    assert list(columns({"datasets": {"rows": many, "shown": one}})) == ["rows"]
    assert list(columns({"datasets": {"shown": one, "none": []}})) == ["shown"]
