import { afterEach, describe, expect, test, vi } from "vitest";
import { ShaderloomError } from "../base/errors.ts";
import { typedError } from "../testing/typed_error.ts";
import { asStoreError, persistStorage, quotaFull, storageSpace } from "./quota.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

const codeOf = (thrown: unknown): string => asStoreError(thrown, "Storing").code;
const refuse = (): Promise<never> => Promise.reject(new TypeError("insecure"));

describe("asStoreError", () => {
  test("knows both QuotaExceededErrors, with what was asked and what there is", () => {
    const old = asStoreError(new DOMException("full", "QuotaExceededError"), "Storing a chunk");
    expect([old.code, old.detail.needed, old.detail.available]).toEqual(["QUOTA.full", null, null]);
    const modern = Object.assign(new Error("full"), { name: "QuotaExceededError", requested: 4096, quota: 100 });
    expect(asStoreError(modern, "Storing a chunk").detail).toMatchObject({ needed: 4096, available: 100 });
    expect(quotaFull("Storing a chunk", 5).toPlain()).toMatchObject({ code: "QUOTA.full", detail: { needed: 5, available: null } });
  });

  test("says in one sentence what to do, whatever was thrown", async () => {
    const thrown = [
      new DOMException("x", "SecurityError"),
      new DOMException("x", "UnknownError"),
      new DOMException("", "AbortError"),
      new TypeError("no"),
      Object.assign(new Error("x"), { code: "ENOSPC" }),
      "text",
      null,
      undefined,
      quotaFull("a", 1),
    ];
    for (const value of thrown) expect((await typedError(Promise.reject(asStoreError(value, "Storing")))).code).toMatch(/^(STORE|QUOTA)\./);
  });

  test("tells refusals apart, and leaves our own errors alone", () => {
    expect(codeOf(new DOMException("x", "SecurityError"))).toBe("STORE.unavailable");
    expect(codeOf(new DOMException("x", "NoModificationAllowedError"))).toBe("STORE.busy");
    expect(codeOf(new DOMException("x", "VersionError"))).toBe("STORE.blocked");
    expect(codeOf(new DOMException("x", "UnknownError"))).toBe("STORE.failed");
    for (const code of ["ENOSPC", "EDQUOT"]) expect(codeOf(Object.assign(new Error("x"), { code }))).toBe("QUOTA.full");
    for (const code of ["EACCES", "EROFS"]) expect(codeOf(Object.assign(new Error("x"), { code }))).toBe("STORE.unavailable");
    const ours = new ShaderloomError("STORE.lost", "Gone. Reload.");
    expect(asStoreError(ours, "Storing")).toBe(ours);
  });
});

describe("storage space", () => {
  test("is what the browser says", async () => {
    vi.stubGlobal("navigator", { storage: { estimate: async () => ({ usage: 30, quota: 100 }), persisted: async () => true } });
    expect(await storageSpace()).toEqual({ usedBytes: 30, availableBytes: 70, persisted: true });
    vi.stubGlobal("navigator", { storage: { estimate: async () => ({ usage: 130, quota: 100 }), persisted: async () => false } });
    expect(await storageSpace()).toEqual({ usedBytes: 130, availableBytes: 0, persisted: false });
  });

  test("is unknown where there is no storage or it refuses", async () => {
    const unknown = { usedBytes: null, availableBytes: null, persisted: false };
    for (const navigator of [undefined, {}, { storage: {} }, { storage: { estimate: refuse, persisted: refuse, persist: refuse } }]) {
      vi.stubGlobal("navigator", navigator);
      expect(await storageSpace()).toEqual(unknown);
      expect(await persistStorage()).toBe(false);
    }
  });

  test("persistence is asked for where it can be, and looked up where not", async () => {
    const storage = {
      persist(): Promise<boolean> {
        return Promise.resolve(this === storage);
      },
    };
    vi.stubGlobal("navigator", { storage });
    expect(await persistStorage()).toBe(true);
    vi.stubGlobal("navigator", { storage: { persisted: async () => true } });
    expect(await persistStorage()).toBe(true);
  });
});
