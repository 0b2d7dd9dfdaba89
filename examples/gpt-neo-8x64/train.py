"""Train the language model of this folder, a GPT-Neo of 8 layers that tells stories.

    python train.py TEACHER STORIES OUT --minutes 4 [--start FOLDER]

TEACHER is a Llama in transformers' layout (stories260k), STORIES a text, which the teacher's
tokenizer reads. Rows of 512 tokens are cut at random out of what the teacher tells, sampled anew
all the time, and out of STORIES; the loss is the cross-entropy of the student with the teacher's
probabilities. The last 40 rows of 511 tokens of STORIES are never trained on: on them, each behind
a <s>, the cross-entropy is measured in float32, of the weights as they are saved, in float16.

Needs torch, safetensors, tokenizers and, for more than a try, a GPU.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  its usual name

CONTEXT, HELD_OUT, BOS = 512, 40, 1
Weights = dict[str, Tensor]
WINDOW = 256  # positions that every other layer looks back over
CONFIG = {
    "activation_function": "gelu_new", "architectures": ["GPTNeoForCausalLM"],
    "attention_dropout": 0.0, "attention_types": [[["global", "local"], 4]], "bos_token_id": BOS,
    "dtype": "float16", "embed_dropout": 0.0, "eos_token_id": 2, "hidden_size": 64,
    "initializer_range": 0.02, "intermediate_size": 256, "layer_norm_epsilon": 1e-5,
    "max_position_embeddings": CONTEXT, "model_type": "gpt_neo", "num_heads": 16, "num_layers": 8,
    "pad_token_id": None, "resid_dropout": 0.0, "tie_word_embeddings": True, "vocab_size": 512,
    "window_size": WINDOW,
}  # fmt: skip


def heads(x: Tensor, count: int, least: int = 8) -> Tensor:
    """Return [n, s, d] as heads [n, count, s, e], e filled up with zeros to what kernels want."""
    x = x.unflatten(-1, (count, -1)).transpose(1, 2)
    return F.pad(x, (0, max(0, least - x.shape[-1])))


def attended(
    q: Tensor, k: Tensor, v: Tensor, count: int, scale: float, mask: Tensor | None
) -> Tensor:
    """Return what heads of q, k and v attend to, causally or under a mask, side by side."""
    size = q.shape[-1] // count
    out = F.scaled_dot_product_attention(
        heads(q, count), heads(k, count), heads(v, count),
        attn_mask=mask, is_causal=mask is None, scale=scale,
    )  # fmt: skip
    return out[..., :size].transpose(1, 2).flatten(2)


class Student:
    """The GPT-Neo of CONFIG, as a function of weights in the names and shapes of transformers."""

    def __init__(self, device: torch.device) -> None:
        at = torch.arange(CONTEXT, device=device)
        apart = at[:, None] - at
        self.near = (apart >= 0) & (apart < WINDOW)

    def start(self) -> Weights:
        """Return random weights."""
        d, layers = CONFIG["hidden_size"], CONFIG["num_layers"]
        deep = 0.02 / math.sqrt(2 * layers)
        found = {"transformer.wte.weight": torch.randn(CONFIG["vocab_size"], d) * 0.02}
        found["transformer.wpe.weight"] = torch.randn(CONTEXT, d) * 0.02

        def norm(name: str) -> None:
            found[f"{name}.weight"], found[f"{name}.bias"] = torch.ones(d), torch.zeros(d)

        def linear(name: str, rows: int, columns: int, std: float, bias: bool = True) -> None:
            found[f"{name}.weight"] = torch.randn(rows, columns) * std
            if bias:
                found[f"{name}.bias"] = torch.zeros(rows)

        for i in range(layers):
            h = f"transformer.h.{i}"
            norm(f"{h}.ln_1")
            for name in ("q_proj", "k_proj", "v_proj"):
                linear(f"{h}.attn.attention.{name}", d, d, 0.1, bias=False)
            linear(f"{h}.attn.attention.out_proj", d, d, deep)
            norm(f"{h}.ln_2")
            linear(f"{h}.mlp.c_fc", 4 * d, d, 0.1)
            linear(f"{h}.mlp.c_proj", d, 4 * d, deep)
        norm("transformer.ln_f")
        return found

    def __call__(self, w: Weights, tokens: Tensor) -> Tensor:
        """Return the logits of every next token."""
        d, length = CONFIG["hidden_size"], tokens.shape[1]

        def norm(x: Tensor, name: str) -> Tensor:
            return F.layer_norm(x, (d,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-5)

        def linear(x: Tensor, name: str) -> Tensor:
            return F.linear(x, w[f"{name}.weight"], w.get(f"{name}.bias"))

        x = w["transformer.wte.weight"][tokens] + w["transformer.wpe.weight"][:length]
        for i in range(CONFIG["num_layers"]):
            h, a = f"transformer.h.{i}", f"transformer.h.{i}.attn.attention"
            n = norm(x, f"{h}.ln_1")
            qkv = (linear(n, f"{a}.{name}_proj") for name in "qkv")
            local = i % 2 == 1 and length > WINDOW
            mask = self.near[:length, :length] if local else None
            x = x + linear(attended(*qkv, CONFIG["num_heads"], 1.0, mask), f"{a}.out_proj")
            up = F.gelu(linear(norm(x, f"{h}.ln_2"), f"{h}.mlp.c_fc"), approximate="tanh")
            x = x + linear(up, f"{h}.mlp.c_proj")
        return norm(x, "transformer.ln_f") @ w["transformer.wte.weight"].T


class Teacher:
    """A Llama in transformers' layout, with a cache for telling stories."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.config = json.loads((folder / "config.json").read_text())
        self.w = {k: v.to(device) for k, v in load_file(folder / "model.safetensors").items()}
        self.size = self.config["hidden_size"] // self.config["num_attention_heads"]
        theta = self.config["rope_parameters"]["rope_theta"]
        speeds = theta ** -(torch.arange(0, self.size, 2, device=device) / self.size)
        angles = torch.arange(CONTEXT, device=device)[:, None] * speeds
        self.cos, self.sin = (torch.cat([x, x], -1) for x in (angles.cos(), angles.sin()))

    def __call__(
        self, tokens: Tensor, start: int = 0, cache: list[tuple[Tensor, Tensor]] | None = None
    ) -> Tensor:
        """Return the logits of every next token; the cache holds keys and values before `start`."""
        c, w, dtype = self.config, self.w, torch.bfloat16 if tokens.is_cuda else torch.float32
        n_q, n_kv = c["num_attention_heads"], c["num_key_value_heads"]

        def norm(x: Tensor, name: str) -> Tensor:
            return F.rms_norm(x, (x.shape[-1],), w[name], c["rms_norm_eps"])

        def rotated(x: Tensor) -> Tensor:
            half = torch.cat([-x[..., self.size // 2 :], x[..., : self.size // 2]], -1)
            here = slice(start, start + tokens.shape[1])
            return (x * self.cos[here] + half * self.sin[here]).to(dtype)

        x = w["model.embed_tokens.weight"][tokens]
        for i in range(c["num_hidden_layers"]):
            m = f"model.layers.{i}"
            n = norm(x, f"{m}.input_layernorm.weight")
            q, k, v = (
                (n @ w[f"{m}.self_attn.{name}_proj.weight"].T)
                .unflatten(-1, (count, -1))
                .transpose(1, 2)
                for name, count in (("q", n_q), ("k", n_kv), ("v", n_kv))
            )
            q, k, v = rotated(q), rotated(k), v.to(dtype)
            if cache is not None:
                keys, values = cache[i]
                keys[:, :, start : start + 1], values[:, :, start : start + 1] = k, v
                k, v = keys[:, :, : start + 1], values[:, :, : start + 1]
            k, v = (t.repeat_interleave(n_q // n_kv, 1) for t in (k, v))
            out = F.scaled_dot_product_attention(q, k, v, is_causal=cache is None)
            x = x + out.transpose(1, 2).flatten(2).float() @ w[f"{m}.self_attn.o_proj.weight"].T
            n = norm(x, f"{m}.post_attention_layernorm.weight")
            gate = F.silu(n @ w[f"{m}.mlp.gate_proj.weight"].T)
            x = x + (gate * (n @ w[f"{m}.mlp.up_proj.weight"].T)) @ w[f"{m}.mlp.down_proj.weight"].T
        return norm(x, "model.norm.weight") @ w["model.embed_tokens.weight"].T

    @torch.no_grad()
    def tell(self, rows: int) -> Tensor:
        """Return so many rows of CONTEXT tokens, sampled from <s> on."""
        device, c = self.cos.device, self.config
        dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
        shape = (rows, c["num_key_value_heads"], CONTEXT, self.size)
        cache = [
            (
                torch.zeros(shape, dtype=dtype, device=device),
                torch.zeros(shape, dtype=dtype, device=device),
            )
            for _ in range(c["num_hidden_layers"])
        ]
        told = torch.full((rows, CONTEXT), BOS, device=device)
        for t in range(CONTEXT - 1):
            logits = self(told[:, t : t + 1], t, cache)[:, 0]
            noise = torch.empty_like(logits).exponential_()
            told[:, t + 1] = (logits.softmax(-1) / noise).argmax(-1)
        return told


def cut_rows(stream: Tensor, rows: int) -> Tensor:
    """Return rows of CONTEXT tokens of a stream, from anywhere, <s> in front of each."""
    starts = torch.randint(len(stream) - CONTEXT + 2, (rows, 1), device=stream.device)
    found = stream[starts + torch.arange(CONTEXT - 1, device=stream.device)]
    return F.pad(found, (1, 0), value=BOS)


@torch.no_grad()
def cross_entropy(model, rows: Tensor) -> float:
    """Return the mean cross-entropy of all tokens of the rows but the first of each."""
    logits = torch.cat([model(some).float() for some in rows.split(8)])
    return float(F.cross_entropy(logits[:, :-1].flatten(0, 1), rows[:, 1:].flatten()))


def stream_of(stories: Path, tokenizer: Path) -> tuple[Tensor, Tensor]:
    """Return the tokens to train on, and the rows that are held out."""
    encoded = Tokenizer.from_file(str(tokenizer)).encode(
        stories.read_text(), add_special_tokens=False
    )
    ids = torch.tensor(encoded.ids)
    rows = len(ids) // (CONTEXT - 1)
    held = ids[: rows * (CONTEXT - 1)].view(rows, -1)[-HELD_OUT:]
    return ids[: (rows - HELD_OUT) * (CONTEXT - 1)], F.pad(held, (1, 0), value=BOS)


def batches(teacher: Teacher, text: Tensor, rows: int, told: int) -> Iterator[Tensor]:
    """Yield rows to train on: three in four told by the teacher, which tells anew now and then."""
    while True:
        stream = teacher.tell(told).flatten()
        for _ in range(max(1, 2 * told // rows)):
            yield torch.cat([cut_rows(stream, rows - rows // 4), cut_rows(text, rows // 4)])


def rate_at(step: int, done: float) -> float:
    """Return the learning rate, of 1, after so many steps and such a part of the time."""
    return min(1.0, (step + 1) / 200) * (0.02 + 0.49 * (1 + math.cos(math.pi * done)))


def trained(
    teacher: Teacher, student: Student, weights: Weights, text: Tensor, held: Tensor, how: Namespace
) -> tuple[Weights, int]:
    """Return the weights, averaged over the second half of the time, and the number of steps."""
    cuda = text.is_cuda
    rate = how.rate
    optimizer = torch.optim.AdamW(
        weights.values(), lr=rate, betas=(0.9, 0.98), weight_decay=0.0, fused=cuda
    )
    averaged = {name: x.detach().clone() for name, x in weights.items()}
    begin, step = time.monotonic(), 0
    for rows in batches(teacher, text, how.rows, how.told):
        done = (time.monotonic() - begin) / (60 * how.minutes)
        if done >= 1:
            break
        optimizer.param_groups[0]["lr"] = rate * rate_at(step, done)
        with torch.autocast(text.device.type, torch.bfloat16, enabled=cuda):
            with torch.no_grad():
                wanted = teacher(rows).float().softmax(-1)
            logits = student(weights, rows).float()
        loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(0, 1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimizer.step()
        step += 1
        for name, x in averaged.items():
            x.lerp_(weights[name].detach(), 0.005 if done > 0.5 else 1.0)
        if step % 500 == 0:
            now = cross_entropy(lambda x: student(averaged, x), held)
            print(f"{step} steps, {done:.0%}: loss {loss.item():.4f}, held out {now:.4f}")
    return averaged, step


def save(out: Path, weights: Weights, tokenizer: Path, said: dict[str, object]) -> None:
    """Write a folder that transformers can load, and what is said of the training."""
    out.mkdir(parents=True, exist_ok=True)
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})
    (out / "config.json").write_text(json.dumps(CONFIG, indent=2, sort_keys=True) + "\n")
    (out / "training.json").write_text(json.dumps(said, indent=2) + "\n")
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copyfile(tokenizer / name, out / name)


def arguments() -> Namespace:
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("teacher", type=Path)
    parser.add_argument("stories", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=4.0)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--told", type=int, default=8192, help="rows that are told at once")
    parser.add_argument("--rate", type=float, default=4e-3)
    return parser.parse_args()


def main() -> None:
    how = arguments()
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    teacher, student = Teacher(how.teacher, device), Student(device)
    text, held = (x.to(device) for x in stream_of(how.stories, how.teacher / "tokenizer.json"))
    first = student.start() if how.start is None else load_file(how.start / "model.safetensors")
    first.pop("lm_head.weight", None)  # tied
    weights = {name: x.float().to(device).requires_grad_() for name, x in first.items()}
    print(f"start: held out {cross_entropy(lambda x: student(weights, x), held):.4f}")
    averaged, steps = trained(teacher, student, weights, text, held, how)
    saved = {name: x.half().cpu().contiguous() for name, x in averaged.items()}
    rounded = {name: x.float().to(device) for name, x in saved.items()}
    said = {
        "steps": steps,
        "rows": how.rows,
        "tokens": steps * how.rows * CONTEXT,
        "rate": how.rate,
        "held_out_cross_entropy": cross_entropy(lambda x: student(rounded, x), held),
        "teacher_cross_entropy": cross_entropy(teacher, held),
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "torch": torch.__version__,
    }
    save(how.out, saved, how.teacher, said)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
