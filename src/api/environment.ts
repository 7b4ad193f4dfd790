// What the page must offer before anything is loaded, and what is asked of the browser then. In an insecure context (http on another host than localhost) browsers
// take away WebGPU, storage, locks and hashing at once, and each alone would give a misleading error.

import { ShaderloomError } from "../base/errors.ts";

/** @throws {ShaderloomError} ENV.insecure with the list of what is missing */
export function checkEnvironment(): void {
  // Typed as always there, which it is not in Node.
  const secure: boolean | undefined = globalThis.isSecureContext;
  if (secure ?? true) return;
  const { navigator } = globalThis;
  const parts: ReadonlyArray<readonly [string, unknown]> = [
    ["WebGPU", navigator.gpu],
    ["hashing", globalThis.crypto.subtle],
    ["locks", navigator.locks],
    ["storage", navigator.storage],
  ];
  const missing = parts.filter(([, part]) => part === undefined).map(([name]) => name);
  const message = `This page is not in a secure context, so the browser takes away ${missing.join(", ")}. Open it over https, or on localhost.`;
  throw new ShaderloomError("ENV.insecure", message, { detail: { missing } });
}

/**
 * Asks the browser, once it has something to lose, to keep this origin's data. Only pages can ask; nobody waits for the answer, which
 * `openModels().space()` tells.
 */
export function askToPersist(): void {
  const storage = globalThis.navigator?.storage;
  if (typeof storage?.persist !== "function") return;
  void storage.persisted().then(
    (kept) => (kept ? true : storage.persist()),
    () => false,
  );
}
