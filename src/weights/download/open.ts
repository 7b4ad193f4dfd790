// Opens a remote file: from the store alone where it is complete, else under the download lock with what the server says it is now. Which
// stored version that is, if any, is place.ts's to find.

import { asShaderloomError } from "../../base/errors.ts";
import type { ShaderloomError } from "../../base/errors.ts";
import type { DownloadNews, Hold } from "../../store/model_store.ts";
import type { StoredFile } from "../../store/stored_file.ts";
import type { ByteSource } from "../byte_source.ts";
import { openBlobSource } from "../blob_source.ts";
import { openCachedSource } from "./cached_source.ts";
import type { CachePlace } from "./cached_source.ts";
import { addressKey, manifestUrl } from "./address.ts";
import { factsOfRevision, sameness } from "./facts.ts";
import { checkedSource } from "./whole_hash.ts";
import { connect } from "./link.ts";
import type { Link, LinkOptions } from "./link.ts";
import { candidates, openAs, placeFor, placeOf } from "./place.ts";
import type { Opening, StoreUse } from "./place.ts";
import { changed } from "../http/errors.ts";
import { firstBytes } from "../http/file.ts";

export interface RemoteOptions extends LinkOptions {
  readonly store?: StoreUse | undefined;
  /** Told while another tab downloads the same file. */
  readonly onNews?: ((news: DownloadNews) => void) | undefined;
  /** The id of the model's first file, for files after it. */
  readonly model?: string | undefined;
  /** The only stored version that will do. */
  readonly id?: string | undefined;
}

/** Stored versions that are looked at before the server is asked. */
const mostGuesses = 4;

/**
 * The file as a source that stores what it downloads; without a store it keeps in memory what a reader is yet to come for.
 *
 * @throws {ShaderloomError} NET.*, SOURCE.*, INTEGRITY.*, QUOTA.full when `onFull` is `error`, LIMIT.memory, AbortError
 */
export async function openRemote(url: URL, options: RemoteOptions): Promise<ByteSource> {
  const { store } = options;
  if (store === undefined || !url.protocol.startsWith("http")) {
    return open(url, options, { link: await connect(url, options, { start: 0, length: lookBytes(options) }) });
  }
  const opening = { url, key: await addressKey(url), options, store };
  try {
    return (await openComplete(opening)) ?? (await openLocked(opening, options.onNews));
  } catch (thrown) {
    const error = asShaderloomError(thrown, "NET.internal");
    if (!error.code.startsWith("STORE")) throw error;
    // A store that cannot even be asked does not keep a model from running.
    options.diagnostics.storeFailures++;
    return open(url, options, { unstored: error, link: await connect(url, options, { start: 0, length: lookBytes(options) }) });
  }
}

/** For a look at the header: nothing is written, locked or waited for, and what is stored is not fetched. Undefined when nothing is stored. */
export async function openStoredPart(url: URL, options: RemoteOptions, store: StoreUse): Promise<ByteSource | undefined> {
  const opening = { url, key: await addressKey(url), options, store };
  for (const manifest of await candidates(opening)) {
    const file = await openAs(opening, manifest);
    if (file.storedBytes > 0) return open(url, options, { place: placeOf(opening, file, false) });
  }
  return undefined;
}

/** A version that is complete, without asking the server. */
async function openComplete(opening: Opening): Promise<ByteSource | undefined> {
  const { url, options, store } = opening;
  if (store.mode === "refresh") return undefined;
  for (const { id, model, state } of await candidates(opening)) {
    if (state !== "complete") continue;
    const hold = await store.models.holdModel(model);
    try {
      // It could be deleted until the hold was ours.
      const manifest = (await candidates(opening)).find((one) => one.id === id);
      const file = manifest?.state === "complete" ? await openAs(opening, manifest) : undefined;
      if (file?.manifest.state === "complete") return await open(url, options, { place: placeOf(opening, file, true), holds: [hold] });
      hold.release();
    } catch (thrown) {
      hold.release();
      throw thrown;
    }
  }
  return undefined;
}

/** The server is asked, and the download is ours alone. */
async function openLocked(opening: Opening, onNews: RemoteOptions["onNews"]): Promise<ByteSource> {
  const { options, store, url, key } = opening;
  const news = onNews === undefined ? {} : { onNews };
  const lock = await store.models.lockDownload(key, { signal: options.signal, ...news });
  const holds: Hold[] = [];
  try {
    // Another tab may have finished it while we waited.
    const local = await openComplete(opening);
    if (local !== undefined) {
      lock.release();
      return local;
    }
    const { link, place, unstored } = await chooseVersion(opening);
    if (place !== undefined) holds.push(await store.models.holdModel(place.file.manifest.model));
    const storing = place?.keeper.storing === true && !place.complete;
    if (!storing) lock.release();
    return await open(url, options, {
      place,
      unstored,
      holds,
      link: place?.complete === true ? undefined : link,
      lock: storing ? lock : undefined,
    });
  } catch (thrown) {
    for (const hold of [lock, ...holds]) hold.release();
    throw thrown;
  }
}

interface Version {
  readonly link?: Link;
  readonly place?: CachePlace;
  readonly unstored?: ShaderloomError;
}

/** What is stored of what the server has. The first request asks for bytes that are missing, if what is stored turns out to be the same. */
async function chooseVersion(opening: Opening): Promise<Version> {
  const { url, options, store } = opening;
  const refreshing = store.mode === "refresh";
  const files: StoredFile[] = [];
  for (const manifest of (await candidates(opening)).slice(0, mostGuesses)) files.push(await openAs(opening, manifest));
  const whole = files.find((file) => firstMissing([file]) === undefined);
  // All bytes are there and only the last word is missing: `finish` says it, with or without a network.
  if (whole !== undefined && !refreshing) return { place: placeOf(opening, whole, true) };
  const missing = firstMissing(files);
  const start = (missing ?? 0) * options.pool.chunkBytes;
  const link = await connect(url, options, { start, length: missing === undefined ? 1 : lookBytes(options) });
  return { link, ...(await placeFor(opening, link, files)) };
}

/** The first chunk that none of the files has; which of them is the one that the server has is not known yet. */
function firstMissing(files: readonly StoredFile[]): number | undefined {
  const count = Math.min(...files.map(({ chunkCount }) => chunkCount));
  for (let index = 0; index < count; index++) if (!files.some((file) => file.has(index))) return index;
  return files.length === 0 ? 0 : undefined;
}

function lookBytes({ pool }: LinkOptions): number {
  return Math.min(firstBytes, pool.chunkBytes);
}

interface Opened extends Version {
  readonly holds?: readonly Hold[];
  readonly lock?: Hold | undefined;
}

async function open(url: URL, options: RemoteOptions, { link, place, unstored, holds = [], lock }: Opened): Promise<ByteSource> {
  const name = url.protocol.startsWith("http") ? manifestUrl(url) : `the ${url.protocol} address`;
  const manifest = place?.file.manifest;
  const promised = options.sha256 ?? link?.promised ?? manifest?.sha256 ?? undefined;
  const { pool, diagnostics } = options;
  if (place === undefined && link?.whole !== undefined) {
    return { ...checkedSource(openBlobSource(link.whole.blob, name), promised), unstored };
  }
  return openCachedSource({
    name,
    size: link?.size ?? manifest?.bytes ?? 0,
    pool,
    diagnostics,
    place,
    unstored,
    link,
    promised: manifest?.verified === true && manifest.sha256 === promised ? undefined : promised,
    holds,
    lock,
    connect: async (start, signal) => {
      const again = await connect(url, { ...options, signal }, { start, length: lookBytes(options) });
      const facts = factsOfRevision(manifest?.revision ?? "");
      if (facts !== undefined && sameness(facts, again.facts) === "different") throw changed(name);
      return again;
    },
  });
}
