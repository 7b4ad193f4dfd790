// Files of one OPFS folder: found, listed, removed, and in a worker opened with sync access handles, a few of which stay open
// for a moment. Finds the folder anew when the site's data was cleared under it. Knows names; opfs.ts knows chunks.
//
// Measured in Chromium 156 once data is cleared while a handle is open: reads and writes go on into a file that has no name any
// more, `close()` never returns and takes the worker with it, and calls on the old folder may never be answered. So a handle is
// closed only after its file was seen to be there, and nothing is waited for without a limit.

import { ShaderloomError } from "../base/errors.ts";
import { asStoreError } from "./quota.ts";

/** Handles that stay open: the files of a split model that a load reads and writes side by side. */
const keptOpen = 8;
/** Milliseconds without use after which handles are closed, because an open handle keeps other tabs from deleting its file. */
const idleAfter = 500;
/** Milliseconds for another tab's handle to be closed; a worker that was ended frees its own about 15 ms later. */
const patience = 1500;
const pauseBetween = 25;
/** Milliseconds after which a call counts as unanswered. */
const answerWithin = 4000;
const attemptsMade = 3;

export interface OpfsOptions {
  /** Told each time that the folder was lost and is there again, empty. */
  readonly onReconnect?: (() => void) | undefined;
}

/** The part of FileSystemSyncAccessHandle that is used; the type library has it for workers only. */
export interface SyncHandle {
  read(place: Uint8Array<ArrayBuffer>, options: { readonly at: number }): number;
  write(bytes: Uint8Array<ArrayBuffer>, options: { readonly at: number }): number;
  getSize(): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

interface OpenFile {
  readonly name: string;
  readonly handle: SyncHandle;
  users: number;
  /** No longer handed out; closed when its last user is done. */
  retired: boolean;
}

/** Several tabs may hold a file open in this mode. Where a browser does not know it, a handle shuts out all others. */
interface HandleMaker {
  createSyncAccessHandle(options: { readonly mode: "readwrite-unsafe" }): Promise<SyncHandle>;
}

function canOpen(entry: object): entry is HandleMaker {
  return "createSyncAccessHandle" in entry;
}

/** Whether this thread can open sync access handles: dedicated workers only. */
export function hasSyncHandles(): boolean {
  return typeof FileSystemFileHandle === "function" && "createSyncAccessHandle" in FileSystemFileHandle.prototype;
}

export class OpfsFolder {
  readonly #path: string;
  readonly #options: OpfsOptions;
  #directory: Promise<FileSystemDirectoryHandle> | undefined;
  readonly #open = new Map<string, Promise<OpenFile>>();
  #idle: ReturnType<typeof setTimeout> | undefined;
  #lost = false;
  #closed = false;

  constructor(path: string, options: OpfsOptions) {
    this.#path = path;
    this.#options = options;
  }

  /**
   * Runs `work` with the folder; on a new one when that is gone or does not answer.
   *
   * @throws {ShaderloomError} STORE.*, QUOTA.full
   */
  async run<T>(what: string, work: (directory: FileSystemDirectoryHandle) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      if (this.#closed) throw new ShaderloomError("STORE.closed", "The model store was closed. Open it again.");
      this.#directory ??= this.#find();
      const directory = this.#directory;
      try {
        return await work(await directory);
      } catch (thrown) {
        if (!isLoss(thrown)) throw asStoreError(thrown, what);
        if (this.#directory === directory) this.#lose();
        if (attempt === attemptsMade) throw lostFolder(what, thrown);
      }
    }
  }

  /**
   * Runs `work`, which does not wait, on the open file. Only in workers.
   *
   * @returns undefined when there is no such file and it was not to be made
   * @throws {DOMException} NoModificationAllowedError when another holder shuts us out, and what `work` throws
   */
  async use<T>(directory: FileSystemDirectoryHandle, name: string, options: UseOptions<T>): Promise<T | undefined> {
    const file = await this.#acquire(directory, name, options.create);
    if (file === undefined) return undefined;
    file.users++;
    try {
      const result = options.work(file.handle);
      if (options.create && !(await stillThere(directory, file))) throw new DOMException(`${name} was deleted`, "InvalidStateError");
      return result;
    } finally {
      file.users--;
      if (file.retired && file.users === 0) await closeFile(directory, file);
      this.#tidyUp(directory);
    }
  }

  async #acquire(directory: FileSystemDirectoryHandle, name: string, create: boolean): Promise<OpenFile | undefined> {
    const shared = this.#open.get(name);
    const opening = shared ?? this.#openFile(directory, name, create);
    // The last used comes last.
    this.#open.delete(name);
    this.#open.set(name, opening);
    try {
      return await opening;
    } catch (thrown) {
      if (this.#open.get(name) === opening) this.#open.delete(name);
      const absent = isName(thrown, "NotFoundError");
      // A reader that found no file must not fail the writer who would have made it.
      if (absent && create && shared !== undefined) return this.#acquire(directory, name, create);
      if (absent && !create) return undefined;
      throw thrown;
    }
  }

  /** Removes a file, if it is there. @throws {DOMException} NoModificationAllowedError when another tab keeps it open */
  async remove(directory: FileSystemDirectoryHandle, name: string): Promise<void> {
    await this.#release(directory, name);
    await patiently(async () => {
      try {
        await within(directory.removeEntry(name));
      } catch (thrown) {
        if (!isName(thrown, "NotFoundError")) throw thrown;
      }
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#idle);
    this.#directory?.then(
      (directory) => this.#releaseIdle(directory, 0),
      () => undefined,
    );
  }

  async #find(): Promise<FileSystemDirectoryHandle> {
    const storage: Partial<StorageManager> | undefined = globalThis.navigator?.storage;
    if (storage?.getDirectory === undefined) throw new DOMException("there is no file system", "NotSupportedError");
    const root = await within(storage.getDirectory());
    const directory = await within(root.getDirectoryHandle(this.#path, { create: true }));
    if (this.#lost) this.#options.onReconnect?.();
    this.#lost = false;
    return directory;
  }

  #lose(): void {
    const directory = this.#directory;
    const files = [...this.#open.values()];
    this.#lost = true;
    this.#directory = undefined;
    this.#open.clear();
    directory?.then(
      (old) => Promise.all(files.map((opening) => retire(old, opening))),
      () => undefined,
    );
  }

  async #openFile(directory: FileSystemDirectoryHandle, name: string, create: boolean): Promise<OpenFile> {
    // A folder that is gone answers NotFoundError, which is a loss only to those who wanted to make the file.
    const entry = await within(directory.getFileHandle(name, { create }));
    if (!canOpen(entry)) throw new DOMException("there are no sync access handles", "NotSupportedError");
    const make = (): Promise<SyncHandle> => within(entry.createSyncAccessHandle({ mode: "readwrite-unsafe" }));
    return { name, handle: await (create ? patiently(make) : make()), users: 0, retired: false };
  }

  #tidyUp(directory: FileSystemDirectoryHandle): void {
    if (this.#open.size > keptOpen) void this.#releaseIdle(directory, keptOpen);
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => void this.#releaseIdle(directory, 0), this.#closed ? 0 : idleAfter);
  }

  /** Closes files that nobody uses, the first opened first, until `keep` are left. */
  async #releaseIdle(directory: FileSystemDirectoryHandle, keep: number): Promise<void> {
    for (const [name, opening] of this.#open) {
      if (this.#open.size <= keep) return;
      const file = await opening.catch(() => undefined);
      if (file?.users === 0 && this.#open.get(name) === opening) await this.#release(directory, name);
    }
  }

  async #release(directory: FileSystemDirectoryHandle, name: string): Promise<void> {
    const opening = this.#open.get(name);
    this.#open.delete(name);
    if (opening !== undefined) await retire(directory, opening);
  }
}

async function retire(directory: FileSystemDirectoryHandle, opening: Promise<OpenFile>): Promise<void> {
  const file = await opening.catch(() => undefined);
  if (file === undefined) return;
  file.retired = true;
  if (file.users === 0) await closeFile(directory, file);
}

async function closeFile(directory: FileSystemDirectoryHandle, file: OpenFile): Promise<void> {
  if (await stillThere(directory, file)) file.handle.close();
}

interface UseOptions<T> {
  /** Makes the file, and makes sure that it is still there after `work`. */
  readonly create: boolean;
  readonly work: (handle: SyncHandle) => T;
}

/**
 * Whether the open file is the one in the folder. Others may make it longer meanwhile, nobody makes it shorter; a file that was
 * cleared and made again by another tab passes only when it has grown as long already.
 */
async function stillThere(directory: FileSystemDirectoryHandle, { name, handle }: OpenFile): Promise<boolean> {
  const known = handle.getSize();
  try {
    const entry = await within(directory.getFileHandle(name));
    const { size } = await within(entry.getFile());
    return size >= known;
  } catch {
    return false;
  }
}

/** Tries again while another holder shuts us out. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  const until = performance.now() + patience;
  for (;;) {
    try {
      return await call();
    } catch (thrown) {
      if (!isName(thrown, "NoModificationAllowedError") || performance.now() > until) throw thrown;
      await new Promise((resolve) => setTimeout(resolve, pauseBetween));
    }
  }
}

/** @throws {DOMException} TimeoutError */
export async function within<T>(promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DOMException("the file system does not answer", "TimeoutError")), answerWithin);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export function isName(thrown: unknown, ...names: string[]): boolean {
  return thrown instanceof DOMException && names.includes(thrown.name);
}

function isLoss(thrown: unknown): boolean {
  return isName(thrown, "NotFoundError", "InvalidStateError", "TimeoutError", "UnknownError", "AbortError");
}

function lostFolder(what: string, cause: unknown): ShaderloomError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const message = `${what} failed: the browser's storage is lost and did not come back (${reason}). Reload the page to store again; loading also works without storing.`;
  return new ShaderloomError("STORE.lost", message, { retryable: true, detail: { what, reopened: attemptsMade - 1 }, cause });
}
