"""What is written is loaded by SAELens and circuit-tracer themselves, with the same features.

Both go into an environment of their own, above this one's packages: half a minute of CPU time, so
these tests are exhaustive. Without a network they skip, or fail if CI=true.
"""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from lib_graph.dictionaries.writing import write_dictionaries
from tests.lib_graph.dictionaries.test_writing import DICTIONARIES, inputs, lib, recovered

PACKAGES = ["sae-lens==6.54.12", "circuit-tracer==0.5.0"]
LOADED = """
import json, sys, torch
from pathlib import Path
from safetensors.torch import load_file, save_file
from sae_lens import SAE
from circuit_tracer.transcoder.single_layer_transcoder import load_relu_transcoder

x, found = load_file("inputs.safetensors")["x"], {}
for name in json.loads(sys.argv[1]):
    (folder,) = Path(name, "saelens").iterdir()
    sae = SAE.load_from_disk(folder)
    found[f"{name} saelens features"] = sae.encode(x)
    found[f"{name} saelens again"] = sae(x)
    if Path(name, "circuit-tracer").exists():
        file = str(Path(name, "circuit-tracer", "layer_0.safetensors"))
        transcoder = load_relu_transcoder(file, 0, device=torch.device("cpu"), dtype=torch.float32)
        found[f"{name} circuit-tracer features"] = transcoder.encode(x)
        found[f"{name} circuit-tracer again"] = transcoder(x)
save_file({name: value.detach().contiguous() for name, value in found.items()}, "found.safetensors")
"""
HELD = {**DICTIONARIES, "lib": lib()}
BY_CIRCUIT_TRACER = ("relu", "jumprelu", "lib")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the libraries make of all that is written, by name, library and what it is."""
    folder = tmp_path_factory.mktemp("loaders")
    environment = folder / "environment"
    made = [sys.executable, "-m", "venv", "--without-pip", str(environment)]
    subprocess.run(made, check=True)
    python = str(environment / "bin" / "python")
    asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    told = subprocess.run(asked, capture_output=True, check=True, text=True).stdout
    packages = Path(told.strip())
    ours = dict.fromkeys([sysconfig.get_path("purelib"), *filter(os.path.isdir, sys.path)])
    shared = [path for path in ours if path.rstrip("/").endswith("site-packages")]
    (packages / "shared.pth").write_text("\n".join(shared))
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--prefix",
               str(environment), *PACKAGES]  # fmt: skip
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"SAELens and circuit-tracer cannot be installed: {done.stderr[-300:]}")
    save_file({"x": inputs().float()}, folder / "inputs.safetensors")
    for name, held in HELD.items():
        (folder / name).mkdir()
        write_dictionaries(folder / name / "saelens", {"ln1.0": held}, "saelens", "m")
        if name in BY_CIRCUIT_TRACER:
            out = folder / name / "circuit-tracer"
            write_dictionaries(out, {"ln1.0": held}, "circuit-tracer", "m")
    done = subprocess.run(
        [python, "-c", LOADED, json.dumps(list(HELD))], cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert not done.returncode, done.stderr[-3000:]
    return load_file(folder / "found.safetensors")


CASES = [
    *((name, "saelens") for name in HELD), *((name, "circuit-tracer") for name in BY_CIRCUIT_TRACER)
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize(("name", "library"), CASES)
def test_their_own_loaders_find_the_same_features(name, library, found):
    held, x = HELD[name], inputs()
    features = found[f"{name} {library} features"].double()
    if name == "lib":  # two features each, above 0 and below
        features = features[..., ::2] - features[..., 1::2]
    assert torch.allclose(features, held.coordinates(x), rtol=0, atol=1e-5)
    again = found[f"{name} {library} again"].double()
    assert torch.allclose(again, recovered(held, x), rtol=0, atol=1e-5)
