"""Reads the bundled GGUF and runs it in numpy float64, token by token.

It is written from the file format and the Llama equations alone and shares no code with the trainer or the exporter, so that it can
check both, and the TypeScript engine after them.
"""

import struct

import numpy as np

from bpe import Tokenizer


class Reader:
    """Little-endian cursor over the file."""

    SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, fmt):
        v = struct.unpack_from("<" + fmt, self.data, self.at)
        self.at += struct.calcsize("<" + fmt)
        return v[0]

    def string(self):
        n = self.take("Q")
        self.at += n
        return self.data[self.at - n:self.at].decode("utf-8")

    def value(self, kind):
        if kind == 8:
            return self.string()
        if kind == 9:
            item, n = self.take("I"), self.take("Q")
            return [self.value(item) for _ in range(n)]
        return self.take(self.SCALARS[kind])


def read_gguf(path):
    """(metadata, tensors as float64 arrays of shape [rows, columns])."""
    with open(path, "rb") as f:
        r = Reader(f.read())
    assert r.take("4s") == b"GGUF" and r.take("I") == 3
    count, pairs = r.take("Q"), r.take("Q")
    meta = {}
    for _ in range(pairs):
        key = r.string()
        meta[key] = r.value(r.take("I"))
    infos = []
    for _ in range(count):
        name, dims = r.string(), r.take("I")
        shape = [r.take("Q") for _ in range(dims)][::-1]
        infos.append((name, shape, r.take("I"), r.take("Q")))
    base = (r.at + 31) // 32 * 32
    out = {}
    for name, shape, kind, offset in infos:
        n = int(np.prod(shape))
        if kind == 0:
            x = np.frombuffer(r.data, "<f4", n, base + offset).astype(np.float64)
        else:
            assert kind == 8, "only F32 and Q8_0 occur in this file"
            raw = np.frombuffer(r.data, np.uint8, n // 32 * 34, base + offset).reshape(-1, 34)
            x = raw[:, 2:].copy().view(np.int8).astype(np.float64) * raw[:, :2].copy().view("<f2").astype(np.float64)
        out[name] = x.reshape(shape)
    return meta, out


class GgufModel:
    """The forward pass with a key-value cache."""

    def __init__(self, path):
        self.meta, self.w = read_gguf(path)
        m = lambda k: self.meta["llama." + k]
        self.layers, self.heads, self.kv, self.head = m("block_count"), m("attention.head_count"), m("attention.head_count_kv"), m("attention.key_length")
        self.eps = m("attention.layer_norm_rms_epsilon")
        self.freq = m("rope.freq_base") ** (-np.arange(0, self.head, 2) / self.head)
        self.tokenizer = Tokenizer([x.split(" ") for x in self.meta["tokenizer.ggml.merges"]])
        assert self.tokenizer.tokens == self.meta["tokenizer.ggml.tokens"]
        self.reset()

    def reset(self):
        """Forgets the context."""
        self.cache = [None] * self.layers

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * self.w[name]

    def rope(self, x, start):
        angle = (start + np.arange(len(x)))[:, None, None] * self.freq
        a, b = x[..., 0::2], x[..., 1::2]
        out = np.empty_like(x)
        out[..., 0::2] = a * np.cos(angle) - b * np.sin(angle)
        out[..., 1::2] = b * np.cos(angle) + a * np.sin(angle)
        return out

    def attention(self, h, i):
        b, n = f"blk.{i}.", len(h)
        start = 0 if self.cache[i] is None else len(self.cache[i][0])
        split = lambda name: (h @ self.w[b + name + ".weight"].T).reshape(n, -1, self.head)
        q, k, v = self.rope(split("attn_q"), start), self.rope(split("attn_k"), start), split("attn_v")
        if start:
            k, v = np.concatenate([self.cache[i][0], k]), np.concatenate([self.cache[i][1], v])
        self.cache[i] = (k, v)
        group = self.heads // self.kv
        out = np.empty((n, self.heads, self.head))
        for j in range(self.heads):
            s = q[:, j] @ k[:, j // group].T / np.sqrt(self.head)
            s[np.arange(len(k))[None] > start + np.arange(n)[:, None]] = -np.inf
            e = np.exp(s - s.max(-1, keepdims=True))
            out[:, j] = e / e.sum(-1, keepdims=True) @ v[:, j // group]
        return out.reshape(n, -1) @ self.w[b + "attn_output.weight"].T

    def logits(self, ids):
        """Appends `ids` to the context; the logits after the last of them."""
        x = self.w["token_embd.weight"][ids]
        for i in range(self.layers):
            b = f"blk.{i}."
            x = x + self.attention(self.norm(x, b + "attn_norm.weight"), i)
            h = self.norm(x, b + "ffn_norm.weight")
            g = h @ self.w[b + "ffn_gate.weight"].T
            x = x + (g / (1 + np.exp(-g)) * (h @ self.w[b + "ffn_up.weight"].T)) @ self.w[b + "ffn_down.weight"].T
        return self.norm(x[-1], "output_norm.weight") @ self.w["token_embd.weight"].T

    def generate(self, ids, limit=300, temperature=0.0, rng=None):
        """Ids generated after `ids`, up to an end token; greedy at temperature 0."""
        self.reset()
        stop = {self.tokenizer.ids["<|im_end|>"], self.tokenizer.ids["<|endoftext|>"]}
        out, logits = [], self.logits(ids)
        while len(out) < limit:
            if temperature:
                p = np.exp((logits - logits.max()) / temperature)
                token = int(rng.choice(len(p), p=p / p.sum()))
            else:
                token = int(logits.argmax())
            if token in stop:
                break
            out.append(token)
            logits = self.logits([token])
        return out
