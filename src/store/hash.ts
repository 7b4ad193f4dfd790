// Hashes of stored bytes: sha256 for what was promised and recorded, and a fast checksum for every later read. XXH64 and the
// incremental sha256 are hash-wasm's, which enters here and nowhere else; sha256 of whole chunks is the browser's own, off this
// thread. Knows nothing of chunks or files.

import { ShaderloomError } from "../base/errors.ts";

/** Takes bytes in any pieces, in order. `digest` ends it. */
export interface Sha256Stream {
  update(bytes: Uint8Array): void;
  /** 64 hex digits. */
  digest(): string;
}

/**
 * XXH64 with seed 0, 16 hex digits. Sees damage, not malice: a flipped bit always changes one of its four lanes, and two
 * different inputs agree by chance once in 2^64.
 *
 * @throws {ShaderloomError} ENV.wasm
 */
export async function checksum64(bytes: Uint8Array): Promise<string> {
  requireWasm();
  const { xxhash64 } = await import("hash-wasm");
  return xxhash64(bytes);
}

/**
 * 64 hex digits, by WebCrypto.
 *
 * @throws {ShaderloomError} ENV.insecure where the page is not served securely and so has no WebCrypto
 */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  // Typed as always there, which it is not on http: pages.
  const subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle;
  if (subtle === undefined) {
    const message = "This page has no WebCrypto, so nothing downloaded can be checked. Serve it over https or from localhost.";
    throw new ShaderloomError("ENV.insecure", message, { detail: { missing: ["crypto.subtle"] } });
  }
  return hex(new Uint8Array(await subtle.digest("SHA-256", bytes)));
}

/** @throws {ShaderloomError} ENV.wasm */
export async function sha256Stream(): Promise<Sha256Stream> {
  requireWasm();
  const { createSHA256 } = await import("hash-wasm");
  const hasher = await createSHA256();
  return {
    update: (bytes) => {
      hasher.update(bytes);
    },
    digest: () => hasher.digest("hex"),
  };
}

/**
 * A Content-Security-Policy may refuse WebAssembly. The library would then reject once and wait for ever the second time (its
 * lock stays held), so it is asked first, with an empty module, which costs microseconds.
 */
function requireWasm(): void {
  try {
    void new WebAssembly.Module(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
  } catch (thrown) {
    const message =
      "This page may not run WebAssembly, which checks stored models. Add 'wasm-unsafe-eval' to script-src of its Content-Security-Policy.";
    throw new ShaderloomError("ENV.wasm", message, { detail: { missing: ["WebAssembly"] }, cause: thrown });
  }
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
