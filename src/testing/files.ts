// Bytes of files in the repository and in ../shared, read the same way by tests in Node and in the browser.
// The browser asks the Vitest server (serve_files.ts); nothing is cached here.
import type { Skipper } from "./gpu.ts";

function inBrowser(): boolean {
  return typeof window !== "undefined";
}

/** Where the three roots lie, relative to the repository root. */
const ROOTS = { repo: ".", shared: "../shared", cache: ".cache" } as const;
export type FileRoot = keyof typeof ROOTS;

/** @returns the file's bytes, or undefined when it does not exist */
export async function readFrom(root: FileRoot, path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (inBrowser()) {
    const response = await fetch(`/__files/${root}/${path}`);
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Error(`${root}/${path}: status ${response.status}`);
    return new Uint8Array(await response.arrayBuffer());
  }
  const { readFile } = await import("node:fs/promises");
  try {
    const data = await readFile(`${process.cwd()}/${ROOTS[root]}/${path}`);
    const bytes = new Uint8Array(data.byteLength);
    bytes.set(data);
    return bytes;
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * A file of the repository.
 * @param path relative to the repository root
 * @throws when it does not exist
 */
export async function readRepoFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readFrom("repo", path);
  if (bytes === undefined) throw new Error(`${path} is not in the repository`);
  return bytes;
}

/**
 * A file of the shared test data, or undefined in a clone that stands alone.
 * @param path relative to ../shared, e.g. "data/models/stories260K/stories260K-f32.gguf"
 */
export async function readSharedFile(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  return readFrom("shared", path);
}

/** Whether `readSharedFile(path)` will give bytes; folders count too. For `test.skipIf(!(await sharedAvailable(…)))`. */
export async function sharedAvailable(path: string): Promise<boolean> {
  if (inBrowser()) return (await fetch(`/__files/shared/${path}`, { method: "HEAD" })).ok;
  const { existsSync } = await import("node:fs");
  return existsSync(`${process.cwd()}/${ROOTS.shared}/${path}`);
}

/** The shared file; skips the calling test, with the reason, where it is absent. */
export async function sharedFileOrSkip(context: Skipper, path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readSharedFile(path);
  if (bytes !== undefined) return bytes;
  const folder = path.split("/")[0] ?? path;
  const missing = (await sharedAvailable(folder)) ? path : folder;
  return context.skip(`../shared/${missing} is absent`);
}
