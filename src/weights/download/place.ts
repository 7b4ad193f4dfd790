// The place of a remote file in the store: which stored version is the one that the server has, or a new place for it. Two versions that
// nothing tells apart but their bytes are told apart by their bytes.

import { ShaderloomError, asShaderloomError } from "../../base/errors.ts";
import type { Manifest } from "../../store/manifest.ts";
import type { ModelStore } from "../../store/model_store.ts";
import type { StoredFile } from "../../store/stored_file.ts";
import { sha256 } from "../../store/hash.ts";
import { openBlobSource } from "../blob_source.ts";
import type { CachePlace } from "./cached_source.ts";
import { fileName, manifestUrl } from "./address.ts";
import { unknownLength } from "./errors.ts";
import { factsOfRevision, isPinned, revisionOf, sameness } from "./facts.ts";
import { checkedSource } from "./whole_hash.ts";
import { StoreKeeper } from "./keeper.ts";
import type { FullRules } from "./keeper.ts";
import type { Link, LinkOptions } from "./link.ts";

/** How the model store is used. */
export interface StoreUse extends Partial<FullRules> {
  readonly models: ModelStore;
  /** `use`: what is complete is read without asking the server. `refresh`: the server is asked whether the file changed. */
  readonly mode?: "use" | "refresh";
}

export interface Opening {
  readonly url: URL;
  /** The address under which the file is kept. */
  readonly key: string;
  readonly store: StoreUse;
  readonly options: LinkOptions & {
    /** The id of the model's first file, for files after it. */
    readonly model?: string | undefined;
    /** The only stored version that will do. */
    readonly id?: string | undefined;
  };
}

/** Bytes looked at again where nothing but a date or a length says that a partly stored file is still the same. */
const overlapBytes = 64 << 10;

/** Stored versions that can be what the caller asks for, complete ones first. */
export async function candidates({ store, key, options }: Opening): Promise<Manifest[]> {
  const found = await store.models.find(key);
  return found.filter(
    ({ id, chunkBytes, sha256: stored }) =>
      chunkBytes === options.pool.chunkBytes &&
      (options.id === undefined || options.id === id) &&
      (stored === null || options.sha256 === undefined || stored === options.sha256),
  );
}

export async function openAs({ store, options }: Opening, manifest: Manifest, promised?: string): Promise<StoredFile> {
  const { url, revision, name, bytes } = manifest;
  const description = { url, revision, name, bytes, sha256: promised ?? manifest.sha256 };
  const model = options.model ?? (manifest.model === manifest.id ? undefined : manifest.model);
  return store.models.open({ ...description, ...(model === undefined ? {} : { model }) }, options.diagnostics);
}

export function placeOf({ store, key, options }: Opening, file: StoredFile, writes: boolean): CachePlace {
  const { models, onFull = "memory", evict = false } = store;
  const keeper = new StoreKeeper({ file, models, onFull, evict, writes, diagnostics: options.diagnostics });
  return { models, file, keeper, key, complete: file.manifest.state === "complete" };
}

/** The place for what the server has; without one, why. */
export async function placeFor(
  opening: Opening,
  link: Link,
  opened: readonly StoredFile[],
): Promise<{ readonly place?: CachePlace; readonly unstored?: ShaderloomError }> {
  const { options, store } = opening;
  if (link.whole?.exact === false) {
    const name = manifestUrl(opening.url);
    if (link.promised === undefined) return { unstored: unknownLength(name) };
    await checkedSource(openBlobSource(link.whole.blob, name), link.promised).finish?.();
  }
  try {
    return { place: placeOf(opening, await findOrMake(opening, link, opened), true) };
  } catch (thrown) {
    const error = asShaderloomError(thrown, "STORE.internal");
    const full = error.code.startsWith("QUOTA");
    if (!(full || error.code.startsWith("STORE")) || (full && store.onFull === "error")) throw error;
    if (full) options.diagnostics.quotaRefusals++;
    else options.diagnostics.storeFailures++;
    return { unstored: error };
  }
}

async function findOrMake(opening: Opening, link: Link, opened: readonly StoredFile[]): Promise<StoredFile> {
  const { options, store, key, url } = opening;
  const server: Server = { link, signal: options.signal ?? new AbortController().signal };
  let revision = revisionOf(link.facts);
  // Who promises another hash for the same version means another file.
  if (link.promised !== link.facts.sha256) revision += ` promised:${link.promised}`;
  for (const manifest of await candidates(opening)) {
    const facts = factsOfRevision(manifest.revision);
    if (facts === undefined) continue;
    const same = sameness({ ...facts, size: manifest.bytes }, link.facts);
    if (same === "different") continue;
    // Opened again where a hash is promised that it was not stored with.
    const before =
      (link.promised ?? manifest.sha256) === manifest.sha256 ? opened.find((one) => one.manifest.id === manifest.id) : undefined;
    const file = before ?? (await openAs(opening, manifest, link.promised));
    if (await agrees(file, server, same === "same")) return file;
    // Another version that its server does not label as one.
    if (manifest.revision === revision) revision += ` copy:${crypto.randomUUID().slice(0, 8)}`;
  }
  const description = { url: key, revision, name: fileName(url), bytes: link.size, sha256: link.promised ?? null };
  const model = options.model === undefined ? {} : { model: options.model };
  const file = await store.models.open({ ...description, ...model }, options.diagnostics);
  if (file.manifest.chunkBytes !== options.pool.chunkBytes) throw otherLayout(file.manifest.name);
  // Chunks may be left of a manifest that was lost.
  if (!(await agrees(file, server, isPinned(link.facts)))) await file.clear();
  return file;
}

interface Server {
  readonly link: Link;
  readonly signal: AbortSignal;
}

/** Whether stored chunks are of what the server has, as far as that has to be looked at. */
async function agrees(file: StoredFile, { link, signal }: Server, certain: boolean): Promise<boolean> {
  const stored = Array.from({ length: file.chunkCount }, (_, index) => index).filter((index) => file.has(index));
  const last = stored.at(-1);
  if (last === undefined) return true;
  const { chunkBytes } = file.manifest;
  if (link.whole !== undefined) {
    for (const index of stored) {
      const slice = link.whole.blob.slice(index * chunkBytes, (index + 1) * chunkBytes);
      if ((await sha256(new Uint8Array(await slice.arrayBuffer()))) !== file.sha256Of(index)) return false;
    }
    return true;
  }
  if (certain) return true;
  const chunk = await file.read(last);
  if (chunk === undefined) return agrees(file, { link, signal }, certain);
  let at = Math.max((chunk.length - overlapBytes) >> 1, 0);
  const start = last * chunkBytes + at;
  const end = last * chunkBytes + Math.min(at + overlapBytes, chunk.length);
  for await (const run of link.fetchRange(start, end, signal)) {
    for (const byte of run) if (byte !== chunk[at++]) return false;
  }
  return true;
}

function otherLayout(name: string): ShaderloomError {
  const message = `${name} is stored in pieces of another size by another version of this program. Delete the stored copy to store it anew.`;
  return new ShaderloomError("STORE.layout", message, { detail: { name } });
}
