// Room: what the browser says of its space, the wish to keep ours, and every storage refusal as one of our errors. Advice only:
// the quota that a browser reports is not the one it keeps to, so nothing here stands between a write and its try.

import { ShaderloomError } from "../base/errors.ts";
import type { FullErrorCode } from "../base/errors.ts";
import type { StorageSpace } from "./model_store.ts";

/** Unknown values are null: in Node, on pages that are not served securely, and where storage is switched off. */
export async function storageSpace(): Promise<StorageSpace> {
  const manager = storageManager();
  // Both throw in sandboxed frames.
  const estimate = await manager?.estimate?.().catch(() => undefined);
  const persisted = (await manager?.persisted?.().catch(() => false)) ?? false;
  const { usage, quota } = estimate ?? {};
  const availableBytes = quota === undefined ? null : Math.max(0, quota - (usage ?? 0));
  return { usedBytes: usage ?? null, availableBytes, persisted };
}

/** Asks for this origin's data to be kept. Workers cannot ask (the function is the window's alone); they learn what was answered there. */
export async function persistStorage(): Promise<boolean> {
  const manager = storageManager();
  const ask = manager?.persist ?? manager?.persisted;
  if (manager === undefined || ask === undefined) return false;
  return ask.call(manager).catch(() => false);
}

/** Every part of it may be missing, whatever the types say. */
function storageManager(): Partial<StorageManager> | undefined {
  const { navigator } = globalThis as { readonly navigator?: { readonly storage?: StorageManager } };
  return navigator?.storage;
}

/**
 * What a storage call threw, as one of our errors: QUOTA.full, STORE.unavailable, STORE.busy, STORE.blocked or STORE.failed.
 *
 * @param what was being done, to stand in "… failed": `Storing a chunk`
 */
export function asStoreError(thrown: unknown, what: string): ShaderloomError {
  if (thrown instanceof ShaderloomError) return thrown;
  const { name, code, message, requested, quota } = factsOf(thrown);
  const kind = kinds[code] ?? kinds[name] ?? failed;
  const detail = { what, cause: code || name, ...(kind === full ? { needed: requested ?? null, available: quota ?? null } : {}) };
  const text = kind.advice === failed.advice ? `${what} failed: ${sentence(message || name)}` : `${what} failed: ${kind.reason}.`;
  return new ShaderloomError(kind.code, `${text} ${kind.advice}`, { retryable: kind.retryable, detail, cause: thrown });
}

/** QUOTA.full of a write that stored fewer bytes than it was given, without an error of its own. */
export function quotaFull(what: string, needed: number): ShaderloomError {
  const message = `${what} failed: ${full.reason}. ${full.advice}`;
  return new ShaderloomError(full.code, message, { detail: { what, cause: "short write", needed, available: null } });
}

interface Kind {
  readonly code: FullErrorCode;
  readonly reason: string;
  readonly advice: string;
  readonly retryable: boolean;
}

const full: Kind = {
  code: "QUOTA.full",
  reason: "there is no room left for it",
  advice: "Delete stored models or free disk space, then load again; loading also works without storing.",
  retryable: false,
};
const unavailable: Kind = {
  code: "STORE.unavailable",
  reason: "storage is switched off or forbidden here",
  advice: "Leave private browsing or allow site data to keep models; loading also works without storing.",
  retryable: false,
};
const busy: Kind = {
  code: "STORE.busy",
  reason: "another tab is using it",
  advice: "Close the other tabs of this page and try again.",
  retryable: true,
};
const newer: Kind = {
  code: "STORE.blocked",
  reason: "a newer version of this page has changed the model store",
  advice: "Reload this page.",
  retryable: false,
};
const failed: Kind = {
  code: "STORE.failed",
  reason: "",
  advice: "Reload the page; if it stays so, delete this site's data.",
  retryable: true,
};

/** By the name of a DOMException or the code of a Node error. A name that browsers give to several causes is not listed. */
const kinds: Readonly<Record<string, Kind>> = {
  QuotaExceededError: full,
  NS_ERROR_FILE_NO_DEVICE_SPACE: full,
  ENOSPC: full,
  EDQUOT: full,
  EFBIG: full,
  SecurityError: unavailable,
  NotAllowedError: unavailable,
  NotSupportedError: unavailable,
  EACCES: unavailable,
  EPERM: unavailable,
  EROFS: unavailable,
  NoModificationAllowedError: busy,
  EBUSY: busy,
  VersionError: newer,
};

interface Facts {
  readonly name: string;
  /** Of Node; a DOMException's is a number and says less than its name. */
  readonly code: string;
  readonly message: string;
  /** Bytes, of the newer QuotaExceededError class; the older exception of that name has neither. */
  readonly requested: number | undefined;
  readonly quota: number | undefined;
}

function factsOf(thrown: unknown): Facts {
  const source =
    typeof thrown === "object" && thrown !== null ? new Map(factNames.map((key) => [key, Reflect.get(thrown, key)])) : new Map();
  const text = (key: string): string => (typeof source.get(key) === "string" ? String(source.get(key)) : "");
  const bytes = (key: string): number | undefined => (typeof source.get(key) === "number" ? Number(source.get(key)) : undefined);
  return {
    name: text("name") || "Error",
    code: text("code"),
    message: text("message"),
    requested: bytes("requested"),
    quota: bytes("quota"),
  };
}

const factNames = ["name", "code", "message", "requested", "quota"];

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
