"""What a run folder refuses, and how its tables lie in it."""

import pyarrow.parquet as pq
import pytest

from lib_graph.errors import RunError, UsageError
from lib_graph.run import FeatureId, Run
from lib_graph.run.config import BuildConfig
from lib_graph.run.folder import row_group_layer
from lib_graph.run.writing import write_interactions
from tests.synthetic import random_run


@pytest.fixture
def run(tmp_path):
    return random_run(tmp_path / "run", (3, 4, 2), density=1.0)


def test_a_folder_that_was_begun_is_told_from_one_that_is_no_run(tmp_path):
    with pytest.raises(RunError, match="is no run folder"):
        Run.open(tmp_path)
    (tmp_path / ".partial").mkdir()
    with pytest.raises(RunError, match="the build did not finish"):
        Run.open(tmp_path)


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_a_strength_that_is_negative_or_no_number_is_never_written(run, tmp_path, strength):
    table = run.interactions
    table.loc[3, "strength"] = strength
    with pytest.raises(RunError, match="negative or not finite"):
        write_interactions(tmp_path / "interactions.parquet", iter([table]), {})
    assert not (tmp_path / "interactions.parquet").exists()


def test_interactions_lie_by_section_source_and_target_without_zeros(run, tmp_path):
    file = tmp_path / "interactions.parquet"
    table = run.interactions
    table.loc[[2, 9], "strength"] = 0.0
    table.loc[[3, 4], "strength"] = 1e-300, 0.5
    sections = [rows[::-1] for _, rows in table.groupby("source_layer", sort=False)]
    write_interactions(file, iter(sections), {"made": "here"})
    columns = ["source_layer", "source", "target", "strength"]
    expected = table.drop([2, 9])[columns].reset_index(drop=True)
    assert pq.read_table(file).to_pandas()[columns].equals(expected)
    with pq.ParquetFile(file) as written:
        groups = range(written.num_row_groups)
        assert [row_group_layer(written, i) for i in groups] == ["layer.0", "layer/1"]


@pytest.mark.parametrize("name", ["features.parquet", "interactions.parquet", "bases.safetensors"])
def test_a_file_that_is_not_the_one_of_the_manifest_is_refused(run, name):
    file = run.path / name
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(RunError, match=f"{name}' is not the file its manifest describes"):
        Run.open(run.path)


@pytest.mark.parametrize("text", ["", "layer/1", "/layer/1", "0123456789ab/layer/x", "0123//1"])
def test_a_text_that_is_no_feature_id_is_refused(text):
    with pytest.raises(UsageError, match="is not a feature id"):
        FeatureId.parse(text)


def test_layers_whose_names_an_older_text_runs_together_are_refused():
    with pytest.raises(ValueError, match="a layer's name has a comma"):
        BuildConfig(layers="a,b=0:in,output=output")


@pytest.mark.parametrize(("version", "mend"), [(2, "Update lib-graph"), (0, "Build the run again")])
def test_another_version_is_refused_with_both_versions_and_the_command(run, version, mend):
    manifest = run.path / "manifest.json"
    text = manifest.read_text().replace('"schema_version": 1', f'"schema_version": {version}')
    manifest.write_text(text)
    with pytest.raises(RunError, match=f"version {version} of the run folder.* 1\\. {mend}"):
        Run.open(run.path)
