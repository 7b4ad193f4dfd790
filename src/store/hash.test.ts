import { createHash } from "node:crypto";
import { afterEach, describe, expect, test, vi } from "vitest";
import { seededBytes } from "../testing/chunk_cases.ts";
import { typedError } from "../testing/typed_error.ts";
import { checksum64, sha256, sha256Stream } from "./hash.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

/** The bytes that xxHash's own sanity check is run over. [length] */
function sanityBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 0x9e3779b1n;
  for (let at = 0; at < length; at++) {
    bytes[at] = Number(state >> 56n);
    state = BigInt.asUintN(64, state * 0x9e3779b185ebca8dn);
  }
  return bytes;
}

describe("checksum64", () => {
  test("is XXH64 with seed 0 (vectors of xxHash's sanity check and of its specification's implementations)", async () => {
    const vectors = [
      [0, "ef46db3751d8e999"],
      [1, "e934a84adb052768"],
      [4, "9136a0dca57457ee"],
      [14, "8282dcc4994e35c8"],
      [222, "b641ae8cb691c174"],
    ] as const;
    for (const [length, sum] of vectors) expect(await checksum64(sanityBytes(length))).toBe(sum);
    expect(await checksum64(new TextEncoder().encode("abc"))).toBe("44bc2cf5ad770999");
    expect(await checksum64(new TextEncoder().encode("Nobody inspects the spammish repetition"))).toBe("fbcea83c8a378bf1");
  });

  test("a flipped bit is seen wherever it is", async () => {
    const bytes = seededBytes(70_003, 1);
    const right = await checksum64(bytes);
    const places = [0, 7, 31, 32, 16_383, 16_384, 16_385, 65_536, 69_983, 69_999, 70_002];
    for (const at of places) {
      for (let bit = 0; bit < 8; bit++) {
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        expect(await checksum64(bytes)).not.toBe(right);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      }
    }
    expect(await checksum64(bytes)).toBe(right);
  });

  test("sums a view and not its buffer; calls at once do not mix", async () => {
    const whole = seededBytes(200_000, 2);
    const parts = [...Array(20).keys()].map((at) => whole.subarray(at * 9001, at * 9001 + 20_000));
    const apart: string[] = [];
    for (const part of parts) apart.push(await checksum64(part.slice()));
    expect(await Promise.all(parts.map(checksum64))).toEqual(apart);
    expect(new Set(apart).size).toBe(parts.length);
  });

  test("where WebAssembly is refused it says so, each time", async () => {
    vi.stubGlobal("WebAssembly", { ...WebAssembly, Module: refuse });
    for (const call of [checksum64(seededBytes(10, 0)), checksum64(seededBytes(10, 0)), sha256Stream()]) {
      const error = await typedError(call);
      expect([error.code, error.detail]).toEqual(["ENV.wasm", { missing: ["WebAssembly"] }]);
    }
  });
});

function refuse(): never {
  throw new WebAssembly.CompileError("Refused to compile or instantiate WebAssembly module");
}

describe("sha256", () => {
  const cases = [
    ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ["abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  ] as const;

  test("is SHA-256 (FIPS 180-2), at once and in pieces", async () => {
    for (const [text, digest] of cases) {
      const bytes = new TextEncoder().encode(text);
      expect(await sha256(bytes)).toBe(digest);
      const stream = await sha256Stream();
      for (const byte of bytes) stream.update(Uint8Array.of(byte));
      expect(stream.digest()).toBe(digest);
    }
  });

  test("two streams side by side, in uneven pieces, are what Node says", async () => {
    const bytes = seededBytes(300_001, 3);
    const [one, two] = await Promise.all([sha256Stream(), sha256Stream()]);
    for (let at = 0; at < bytes.length; at += 99_991) {
      one.update(bytes.subarray(at, at + 99_991));
      two.update(bytes.subarray(at, Math.min(at + 99_991, 250_000)));
    }
    const expected = createHash("sha256").update(bytes).digest("hex");
    expect([one.digest(), await sha256(bytes)]).toEqual([expected, expected]);
    expect(two.digest()).toBe(createHash("sha256").update(bytes.subarray(0, 250_000)).digest("hex"));
  });

  test("a page that is not served securely gets ENV.insecure with what is missing (row 58)", async () => {
    vi.stubGlobal("crypto", {});
    const error = await typedError(sha256(seededBytes(10, 0)));
    expect([error.code, error.detail]).toEqual(["ENV.insecure", { missing: ["crypto.subtle"] }]);
  });
});
