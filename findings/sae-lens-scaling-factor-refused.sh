#!/usr/bin/env bash
# A dictionary with a finetuned scaling factor is refused for the name that the loader gave it.
#
# Guess:    cfg.json with finetuning_scaling_factor: true beside a tensor scaling_factor is loaded, and
#           features are multiplied before decoding, or the option is said to be gone.
# Instead:  load_from_disk renames scaling_factor to finetuning_scaling_factor, and then refuses
#           "Unexpected key(s) in state_dict: finetuning_scaling_factor", a tensor that is in no file.
#           With the option and without the tensor it loads as if there were no option.
# Versions: sae-lens 6.54.12.
# Who:      whoever has dictionaries that were finetuned against shrinkage, before version 6.
# Around:   multiply the rows of W_dec by scaling_factor, and take it and the option out.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check sae-lens==6.54.12
venv/bin/python - <<'PY'
import json
import sys
from importlib.metadata import version
from pathlib import Path

import torch
from sae_lens import SAE
from safetensors.torch import save_file

config = {"architecture": "standard", "d_in": 2, "d_sae": 3, "dtype": "float32", "device": "cpu",
          "apply_b_dec_to_input": False, "normalize_activations": "none",
          "finetuning_scaling_factor": True, "metadata": {"sae_lens_version": "6.54.12"}}
parts = {"W_enc": torch.eye(2, 3), "b_enc": torch.zeros(3), "W_dec": torch.eye(3, 2),
         "b_dec": torch.zeros(2)}


def loaded(name, tensors):
    folder = Path(name)
    folder.mkdir()
    (folder / "cfg.json").write_text(json.dumps(config))
    save_file(tensors, folder / "sae_weights.safetensors")
    try:
        return SAE.load_from_disk(folder)(torch.tensor([[1.0, 2.0]])).tolist()
    except RuntimeError as error:
        return " ".join(str(error).split())


print("sae-lens", version("sae-lens"))
print("  without the tensor:", loaded("without", parts))
with_it = loaded("with", {**parts, "scaling_factor": torch.full((3,), 2.0)})
print("  with the tensor:   ", with_it)
if 'Unexpected key(s) in state_dict: "finetuning_scaling_factor"' not in str(with_it):
    sys.exit("The behaviour has changed.")
PY
