"""The Llama model and the Muon optimizer that train.py uses (PyTorch).

RoPE turns the interleaved pairs (2i, 2i+1), which is what `llama` GGUF files mean, so export needs no permutation.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

CONFIG = dict(vocab=2048, hidden=256, layers=4, heads=4, kv_heads=2, head=64, ffn=768, context=1024, theta=10000.0, eps=1e-5)


def rms_norm(x, weight, eps):
    """RMS norm in float32 whatever the autocast type is."""
    y = x.float()
    return (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + eps) * weight).to(x.dtype)


def rotate(x, cos, sin):
    """Rotary embedding on interleaved pairs; x is [batch, heads, time, head]."""
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((a * cos - b * sin, b * cos + a * sin), -1).flatten(-2).to(x.dtype)


def causal_attention(q, k, v, chunk=128):
    """Exact causal attention, `chunk` queries at a time against only the keys they may see.

    On a CPU in bfloat16 this is twice as fast as PyTorch's fused kernel, and attention was the longest part of a step.
    """
    out, t = [], q.shape[2]
    for i in range(0, t, chunk):
        end = min(i + chunk, t)
        scores = (q[:, :, i:end] @ k[:, :, :end].transpose(-1, -2)).float() * q.shape[-1] ** -0.5
        hidden = torch.arange(end)[None, :] > torch.arange(i, end)[:, None]
        out.append(torch.softmax(scores.masked_fill(hidden, -1e9), -1).to(v.dtype) @ v[:, :, :end])
    return torch.cat(out, 2)


class Block(nn.Module):
    """One pre-norm Llama layer."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        wide, narrow = c["heads"] * c["head"], c["kv_heads"] * c["head"]
        self.attn_norm = nn.Parameter(torch.ones(c["hidden"]))
        self.ffn_norm = nn.Parameter(torch.ones(c["hidden"]))
        shapes = dict(attn_q=(wide, c["hidden"]), attn_k=(narrow, c["hidden"]), attn_v=(narrow, c["hidden"]), attn_output=(c["hidden"], wide),
                      ffn_gate=(c["ffn"], c["hidden"]), ffn_up=(c["ffn"], c["hidden"]), ffn_down=(c["hidden"], c["ffn"]))
        for name, (rows, cols) in shapes.items():
            std = cols ** -0.5 * (1 / math.sqrt(2 * c["layers"]) if name in ("attn_output", "ffn_down") else 1)
            setattr(self, name, nn.Parameter(torch.randn(rows, cols) * std))

    def forward(self, x, cos, sin):
        c, (n, t, _) = self.c, x.shape
        h = rms_norm(x, self.attn_norm, c["eps"])
        heads = lambda w: F.linear(h, w).view(n, t, -1, c["head"]).transpose(1, 2)
        q, k, v = rotate(heads(self.attn_q), cos, sin), rotate(heads(self.attn_k), cos, sin), heads(self.attn_v)
        group = c["heads"] // c["kv_heads"]
        k, v = k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)
        o = causal_attention(q, k, v).transpose(1, 2).reshape(n, t, -1)
        x = x + F.linear(o, self.attn_output)
        h = rms_norm(x, self.ffn_norm, c["eps"])
        return x + F.linear(F.silu(F.linear(h, self.ffn_gate)) * F.linear(h, self.ffn_up), self.ffn_down)


class Llama(nn.Module):
    """Tied embeddings: the output head is the embedding table."""

    def __init__(self, c=None):
        super().__init__()
        self.c = c = dict(c or CONFIG)
        self.embed = nn.Parameter(torch.randn(c["vocab"], c["hidden"]) * 0.02)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c["layers"]))
        self.output_norm = nn.Parameter(torch.ones(c["hidden"]))
        freq = c["theta"] ** (-torch.arange(0, c["head"], 2).float() / c["head"])
        angle = torch.arange(c["context"]).float()[:, None] * freq[None]
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, ids):
        t = ids.shape[1]
        x = F.embedding(ids, self.embed)
        for block in self.blocks:
            x = block(x, self.cos[:t], self.sin[:t])
        return F.linear(rms_norm(x, self.output_norm, self.c["eps"]), self.embed)

    def loss(self, ids, targets, weights):
        """Mean cross-entropy, each target token counted by its weight."""
        return self.cross_entropy(self(ids), targets, weights)

    @staticmethod
    def cross_entropy(logits, targets, weights):
        each = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none")
        return (each * weights.flatten()).sum() / weights.sum()

    def compile_parts(self):
        """Compiles one block (the others share its code) and the loss: much faster to compile than the whole, nearly as fast to run."""
        for block in self.blocks:
            block.compile(dynamic=False)
        self.cross_entropy = torch.compile(self.cross_entropy, dynamic=False)


def orthogonal(m, steps=5):
    """Newton-Schulz iteration towards the nearest orthogonal matrix, for a stack of wide matrices."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = m.bfloat16()
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        g = x @ x.transpose(-2, -1)
        x = a * x + (b * g + c * (g @ g)) @ x
    return x.float()


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal: about twice as token-efficient as AdamW on the matrices of a small model."""

    def __init__(self, params, lr=0.02, momentum=0.95, decay=0.01):
        super().__init__(params, dict(lr=lr, momentum=momentum, decay=decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            by_shape = {}
            for p in group["params"]:
                buf = self.state[p].setdefault("momentum", torch.zeros_like(p))
                buf.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(buf, group["momentum"])
                tall = p.shape[0] > p.shape[1]
                by_shape.setdefault(tuple(sorted(p.shape)), []).append((p, update.T if tall else update, tall))
            for items in by_shape.values():
                for (p, _, tall), u in zip(items, orthogonal(torch.stack([u for _, u, _ in items]))):
                    p.mul_(1 - group["lr"] * group["decay"])
                    scale = max(1, p.shape[0] / p.shape[1]) ** 0.5
                    p.add_(u.T if tall else u, alpha=-group["lr"] * scale)
