import { expect, test } from "vitest";
import { bytesLine } from "./load_view.ts";
import { adapterName, decodeLine, kernelsLine, kvLine, speedLine } from "./stats_view.ts";

const progress = { phase: "weights", file: "m", progress: 0.5, text: "Reading" } as const;

test("a load tells bytes, total and speed as far as they are known", () => {
  expect(bytesLine({ ...progress, loaded: 1.2e6, total: 3.9e6, bytesPerSecond: 12e6, fromCache: false })).toBe(
    "1.2 MB of 3.9 MB · 12.0 MB/s",
  );
  expect(bytesLine({ ...progress, loaded: 5e6, total: 0, bytesPerSecond: 0, fromCache: false })).toBe("5.0 MB");
  expect(bytesLine({ ...progress, loaded: 9, total: 9, bytesPerSecond: 5, fromCache: true })).toBe("9 B of 9 B · from this device");
  expect(bytesLine({ ...progress, loaded: 0, total: 0, bytesPerSecond: 0, fromCache: false })).toBe("");
  const kv = { type: "q8_0", bytesPerThousandTokens: 21.8e6 } as const;
  expect(bytesLine({ ...progress, loaded: 1.2e6, total: 3.9e6, bytesPerSecond: 0, fromCache: false, kv })).toBe(
    "1.2 MB of 3.9 MB · chats will take 21.8 MB per 1,000 tokens (q8_0)",
  );
});

test("an answer tells its speed, and what of the prompt was reused", () => {
  const usage = {
    prompt_tokens: 42,
    completion_tokens: 64,
    total_tokens: 106,
    prompt_tokens_details: { cached_tokens: 12 },
    prefill_tokens_per_second: 312.4,
    decode_tokens_per_second: 43.21,
    time_to_first_token_ms: 181,
    total_ms: 1700,
  };
  expect(speedLine(usage)).toBe("64 tokens · 43.2 tokens/s · prompt 42 (12 reused) at 312 tokens/s · first token 181 ms");
  const kv = { policy: "window", kept_tokens: 90, dropped_tokens: 16 } as const;
  expect(speedLine({ ...usage, kv })).toContain(" at 312 tokens/s · 16 tokens forgotten (window) · first token");
  expect(speedLine({ ...usage, kv: { ...kv, dropped_tokens: 0 } })).not.toContain("forgotten");
});

test("keys and values are told by their type, their size and their pages", () => {
  const pages = { used: 12, capacity: 48, growths: 0, cached: 9, type: "q8_0", pageTokens: 32, bytesPerThousandTokens: 21.8e6 } as const;
  expect(kvLine(pages)).toEqual({
    text: "q8_0, 21.8 MB per 1,000 tokens, 12 of 48 pages used, 9 kept for chats that begin alike",
    title: "Keys and values in pages of 32 tokens",
  });
  expect(kvLine({ ...pages, cached: 0 }).text).toBe("q8_0, 21.8 MB per 1,000 tokens, 12 of 48 pages used");
});

test("kernels are told by what became of them, and dropped ones with their reason", () => {
  const chosen = {
    kernel: "linear",
    class: "c",
    variant: "v",
    calls: 1,
    how: "default",
    checked: true,
    ms: null,
    defaultMs: null,
  } as const;
  const times = { mode: "auto", compileMs: 1, checkMs: 1, raceMs: 0, clock: null, rivals: 0 } as const;
  expect(kernelsLine({ ...times, chosen: [chosen, chosen], dropped: [] })).toEqual({ text: "2 checked", title: "" });
  const dropped = [{ kernel: "linear", variant: "w", class: "c", reason: "its results are off" }];
  const others = [chosen, { ...chosen, how: "stored", checked: false } as const];
  expect(kernelsLine({ ...times, chosen: others, dropped })).toEqual({
    text: "1 checked, 1 not checked, 1 chosen by a race, 1 dropped",
    title: "w: its results are off",
  });
});

test("a token is told by its dispatches and by how many are under way", () => {
  const dispatches = { decode: 29, prefill: 31 };
  const fusion = { decode: ["qkv", "residual"], prefill: [] };
  const line = { text: "29 dispatches a token, 4 tokens in flight", title: "Joined: qkv, residual" };
  expect(decodeLine({ dispatches, tokensInFlight: 4, fusion })).toEqual(line);
  const plain = { text: "1,290 dispatches a token, 1 token in flight", title: "" };
  expect(decodeLine({ dispatches: { ...dispatches, decode: 1290 }, tokensInFlight: 1, fusion: { decode: [], prefill: [] } })).toEqual(
    plain,
  );
});

test("an adapter is named by what it says of itself", () => {
  const adapter = { vendor: "google", architecture: "swiftshader", description: "", deviceClass: "cpu", f16: false } as const;
  expect(adapterName(adapter)).toBe("google swiftshader, on the CPU");
  expect(adapterName({ ...adapter, description: "SwiftShader Device", deviceClass: "gpu" })).toBe("SwiftShader Device");
  expect(adapterName({ ...adapter, vendor: "", architecture: "", deviceClass: "gpu" })).toBe("unnamed adapter");
});
