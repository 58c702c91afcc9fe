import subprocess
import sys

PROGRAM = """
import io, sys
from lengthwise.system.no_pandas import without_pandas

with without_pandas():
    import numpy as np, pyarrow as pa, pyarrow.compute as pc, pyarrow.dataset, pyarrow.parquet as pq
    table = pa.table({"number": pa.array(np.arange(3)), "word": ["a", "b", None]})
    pq.write_table(table, stream := io.BytesIO())
    read = pq.read_table(stream)
    numbers = read["number"].to_numpy(), read["word"].fill_null("c").to_pylist()
    assert numbers[0].tolist() == [0, 1, 2] and numbers[1] == ["a", "b", "c"]
    assert pc.take(read, pa.array([2])).num_rows == 1
    print("pandas" in sys.modules)
    try:
        import pandas
    except ModuleNotFoundError as error:
        print(error)
print(table.to_pandas().shape, "pandas" in sys.modules)
print(pa.array(table.to_pandas()["number"]).to_pylist())
with without_pandas():
    import pandas.testing
    print(table.to_pandas().shape)
"""


def test_arrow_works_without_pandas_and_makes_data_frames_later():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "False",
        "pandas: not to be imported by this process",
        "(3, 2) True",
        "[0, 1, 2]",
        "(3, 2)",
    ]
