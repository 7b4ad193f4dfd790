"""Writes a checkpoint of train.py as a Q8_0 GGUF v3 file.

usage: export_gguf.py CHECKPOINT OUT.gguf
Matrices are Q8_0 and the norms F32. There is no `output.weight`: the output head is the embedding table. Q and K rows are in the
order of the interleaved RoPE already (see model.py), so nothing is permuted.
"""

import os
import struct
import sys

import numpy as np
import torch

from bpe import SPECIALS, Tokenizer
from model import CONFIG

ALIGN = 32
F32, Q8_0 = 0, 8
U32, FLOAT, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5
TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
            "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")


def string(s):
    """A GGUF string: its length in bytes, then the bytes."""
    b = s.encode("utf-8")
    return struct.pack("<Q", len(b)) + b


def value(kind, v):
    """One metadata value with its type number in front."""
    if kind == STRING:
        return struct.pack("<I", STRING) + string(v)
    if kind == (ARRAY, STRING):
        return struct.pack("<IIQ", ARRAY, STRING, len(v)) + b"".join(string(x) for x in v)
    if kind == (ARRAY, I32):
        return struct.pack("<IIQ", ARRAY, I32, len(v)) + np.asarray(v, "<i4").tobytes()
    return struct.pack("<I", kind) + struct.pack({U32: "<I", FLOAT: "<f", BOOL: "<?"}[kind], v)


def quantize(x):
    """Q8_0: 32 weights share a float16 scale, the largest of them being 127 steps."""
    blocks = x.astype(np.float32).reshape(-1, 32)
    scale = np.abs(blocks).max(1, keepdims=True) / 127
    q = np.round(np.divide(blocks, scale, out=np.zeros_like(blocks), where=scale > 0)).astype(np.int8)
    return np.concatenate([scale.astype("<f2").view(np.uint8), q.view(np.uint8)], 1).tobytes()


def metadata(tok):
    """All key-value pairs, in order."""
    c, end = CONFIG, tok.ids["<|im_end|>"]
    text, none = len(tok.tokens) - len(SPECIALS), tok.ids["<|endoftext|>"]
    return [
        ("general.architecture", STRING, "llama"), ("general.type", STRING, "model"), ("general.name", STRING, "Shaderloom Tiny"),
        ("general.description", STRING, "A very small story and chat model trained on generated text; see its model card."),
        ("general.license", STRING, "mit"), ("general.file_type", U32, 7), ("general.quantization_version", U32, 2),
        ("llama.block_count", U32, c["layers"]), ("llama.context_length", U32, c["context"]), ("llama.embedding_length", U32, c["hidden"]),
        ("llama.feed_forward_length", U32, c["ffn"]), ("llama.attention.head_count", U32, c["heads"]),
        ("llama.attention.head_count_kv", U32, c["kv_heads"]), ("llama.attention.key_length", U32, c["head"]),
        ("llama.attention.value_length", U32, c["head"]), ("llama.rope.dimension_count", U32, c["head"]),
        ("llama.attention.layer_norm_rms_epsilon", FLOAT, c["eps"]), ("llama.rope.freq_base", FLOAT, c["theta"]), ("llama.vocab_size", U32, c["vocab"]),
        ("tokenizer.ggml.model", STRING, "gpt2"), ("tokenizer.ggml.pre", STRING, "gpt-2"),
        ("tokenizer.ggml.tokens", (ARRAY, STRING), tok.tokens), ("tokenizer.ggml.token_type", (ARRAY, I32), [1] * text + [3] * len(SPECIALS)),
        ("tokenizer.ggml.merges", (ARRAY, STRING), [a + " " + b for a, b in tok.merges]),
        ("tokenizer.ggml.bos_token_id", U32, none), ("tokenizer.ggml.eos_token_id", U32, end), ("tokenizer.ggml.eot_token_id", U32, end),
        ("tokenizer.ggml.padding_token_id", U32, none), ("tokenizer.ggml.add_bos_token", BOOL, False), ("tokenizer.chat_template", STRING, TEMPLATE),
    ]


def tensors(state):
    """(GGUF name, array) of every tensor of the checkpoint."""
    yield "token_embd.weight", state["embed"].numpy()
    for key, v in state.items():
        if key.startswith("blocks."):
            _, layer, name = key.split(".")
            yield f"blk.{layer}.{name}.weight", v.numpy()
    yield "output_norm.weight", state["output_norm"].numpy()


def main():
    checkpoint, out = sys.argv[1:3]
    here = os.path.dirname(os.path.abspath(__file__))
    state = {k.replace("._orig_mod", ""): v for k, v in torch.load(checkpoint, map_location="cpu")["model"].items()}
    pairs = metadata(Tokenizer.load(os.path.join(here, "tokenizer.json")))
    infos, blobs, offset = b"", [], 0
    for name, x in tensors(state):
        kind, blob = (Q8_0, quantize(x)) if x.ndim == 2 else (F32, x.astype("<f4").tobytes())
        infos += string(name) + struct.pack("<I", x.ndim) + struct.pack(f"<{x.ndim}Q", *reversed(x.shape)) + struct.pack("<IQ", kind, offset)
        blobs.append(blob + b"\0" * (-len(blob) % ALIGN))
        offset += len(blobs[-1])
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(blobs), len(pairs))
    head += b"".join(string(k) + value(kind, v) for k, kind, v in pairs) + infos
    with open(out, "wb") as f:
        f.write(head + b"\0" * (-len(head) % ALIGN) + b"".join(blobs))
    print(out, os.path.getsize(out), "bytes")
    assert os.path.getsize(out) <= 4 << 20, "the bundled model may be 4 MiB at most"


if __name__ == "__main__":
    main()
