// The values of the files tier: a file of JSON for each key. Several are set together through a journal, so that a process killed
// in between leaves all of them or none.

import { ShaderloomError, assert } from "../base/errors.ts";
import type { Durability, KeyValue } from "./key_value.ts";
import { absent, listFolder, removeFile, replaceFile, sweepFolder, syncFolder, writeBeside } from "./node_files.ts";
import type { FileSystem } from "./node_files.ts";
import { asStoreError } from "./quota.ts";

/** Files read at once: a process may hold about a thousand open. */
const readTogether = 64;
const valueStart = "v-";
const journalStart = "set-";

/** Values are plain JSON data. `folder` is there. Journals of killed processes are carried out first. */
export async function openFileValues(fs: FileSystem, folder: string): Promise<KeyValue> {
  const names = await listFolder(fs, folder);
  for (const name of names) if (name.startsWith(journalStart)) await carryOut(fs, `${folder}/${name}`);
  await sweepFolder(fs, folder);
  return new FileValues(fs, folder);
}

/** A file under its temporary name and the one it is to have. */
type Move = readonly [from: string, to: string];

class FileValues implements KeyValue {
  readonly #fs: FileSystem;
  readonly #folder: string;
  #closed = false;
  /** Sets and deletions follow each other, so that none gets between the parts of another. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(fs: FileSystem, folder: string) {
    this.#fs = fs;
    this.#folder = folder;
  }

  async get(key: string): Promise<unknown> {
    const [value] = await this.getMany([key]);
    return value;
  }

  async getMany(keys: readonly string[]): Promise<unknown[]> {
    this.#check();
    const values: unknown[] = [];
    for (let at = 0; at < keys.length; at += readTogether) {
      values.push(...(await Promise.all(keys.slice(at, at + readTogether).map((key) => this.#read(key)))));
    }
    return values;
  }

  async set(entries: ReadonlyArray<readonly [key: string, value: unknown]>, durability: Durability = "relaxed"): Promise<void> {
    this.#check();
    const files = entries.map(([key, value]) => ({ path: this.#pathOf(key), data: encode(key, value) }));
    await this.#inTurn(async () => {
      const [only] = files;
      if (files.length === 1 && only !== undefined) await replaceFile(this.#fs, only.path, { data: only.data, durability });
      else if (files.length > 1) await this.#setTogether(files, durability);
    });
  }

  async delete(keys: readonly string[]): Promise<void> {
    this.#check();
    const paths = keys.map((key) => this.#pathOf(key));
    await this.#inTurn(async () => {
      for (const path of paths) await removeFile(this.#fs, path);
    });
  }

  async keys(prefix: string): Promise<string[]> {
    this.#check();
    try {
      const names = await listFolder(this.#fs, this.#folder);
      const keys = names.filter((name) => name.startsWith(valueStart)).map(keyOf);
      return keys.filter((key) => key.startsWith(prefix)).toSorted();
    } catch (thrown) {
      throw asStoreError(thrown, "Listing the model store");
    }
  }

  close(): void {
    this.#closed = true;
  }

  /** What takes room is written first; after the journal there are only names to change. */
  async #setTogether(files: ReadonlyArray<{ path: string; data: string }>, durability: Durability): Promise<void> {
    const moves: Move[] = [];
    const journal = `${this.#folder}/${journalStart}${globalThis.crypto.randomUUID()}.json`;
    try {
      for (const { path, data } of files) moves.push([await writeBeside(this.#fs, path, { data, durability }), path]);
      await replaceFile(this.#fs, journal, { data: JSON.stringify(moves.map((move) => move.map(nameIn))), durability });
    } catch (thrown) {
      for (const [temporary] of moves) await removeFile(this.#fs, temporary).catch(() => undefined);
      throw thrown;
    }
    // What fails from here on is done when the folder is opened next.
    await carryOut(this.#fs, journal);
    if (durability === "strict") await syncFolder(this.#fs, `${this.#folder}/`);
  }

  async #read(key: string): Promise<unknown> {
    try {
      const text = await this.#fs.readFile(this.#pathOf(key), "utf8").catch(absent);
      return text === undefined ? undefined : decode(text);
    } catch (thrown) {
      throw asStoreError(thrown, "Reading from the model store");
    }
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    try {
      await turn;
    } catch (thrown) {
      throw asStoreError(thrown, "Writing to the model store");
    }
  }

  #pathOf(key: string): string {
    const path = `${this.#folder}/${valueStart}${escapeKey(key)}.json`;
    assert(nameIn(path).length <= 200, `the key ${key.slice(0, 40)}… is too long for the name of a file`);
    return path;
  }

  #check(): void {
    if (this.#closed) throw new ShaderloomError("STORE.closed", "The model store was closed. Open it again.");
  }
}

/** Gives the files of a journal their names. Those that have them already are skipped, so it can be done again. */
async function carryOut(fs: FileSystem, journal: string): Promise<void> {
  const folder = journal.slice(0, journal.lastIndexOf("/"));
  const text = await fs.readFile(journal, "utf8").catch(absent);
  for (const [from, to] of movesOf(text)) await fs.rename(`${folder}/${from}`, `${folder}/${to}`).catch(absent);
  await removeFile(fs, journal);
}

/** A journal is renamed into place whole; one that makes no sense was damaged, and moves nothing. */
function movesOf(text: string | undefined): Move[] {
  const list: unknown = text === undefined ? undefined : decode(text);
  if (!Array.isArray(list)) return [];
  return list.flatMap((move: unknown) => {
    const [from, to]: unknown[] = Array.isArray(move) ? move : [];
    return isValueName(from) && isValueName(to) ? [[from, to] as const] : [];
  });
}

function isValueName(name: unknown): name is string {
  return typeof name === "string" && name.startsWith(valueStart) && !/[/\\]/.test(name);
}

function nameIn(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Lower case only and no names that Windows keeps for itself: folders may not tell cases apart. */
function escapeKey(key: string): string {
  return key.replace(/[^a-z0-9-]/g, (unit) => `_${unit.charCodeAt(0).toString(16)}_`);
}

function keyOf(name: string): string {
  const escaped = name.slice(valueStart.length, -".json".length);
  return escaped.replace(/_([0-9a-f]+)_/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

function encode(key: string, value: unknown): string {
  assert(isPlain(value), `the value of ${key} is not plain JSON data`);
  return JSON.stringify(value);
}

function isPlain(value: unknown): boolean {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(isPlain);
  if (typeof value !== "object" || Object.getPrototypeOf(value) !== Object.prototype) return false;
  return Object.values(value).every((one) => one === undefined || isPlain(one));
}

function decode(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
