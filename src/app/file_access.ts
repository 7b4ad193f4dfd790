// Files of this computer: picked or dropped, with a handle where the browser has them, so that a file can be read in place on the
// next visit. One of several picked files is a shard of a split model.

import type { ModelSource } from "./model_host.ts";

/** `handle` is that of a single file; shards are not remembered. */
export interface PickedFiles {
  readonly files: readonly File[];
  readonly handle?: FileSystemFileHandle | undefined;
}

interface PickerOptions {
  readonly id: string;
  readonly multiple: boolean;
  readonly types: ReadonlyArray<{ readonly description: string; readonly accept: Readonly<Record<string, readonly string[]>> }>;
}

/** Not in every browser, and not in TypeScript's list of what windows have. */
interface PickerWindow {
  readonly showOpenFilePicker?: (options: PickerOptions) => Promise<FileSystemFileHandle[]>;
}

interface HandleItem {
  readonly getAsFileSystemHandle?: () => Promise<FileSystemHandle | null>;
}

const pickerOptions: PickerOptions = {
  id: "models",
  multiple: true,
  types: [{ description: "GGUF models", accept: { "application/octet-stream": [".gguf"] } }],
};

/** Whether files can be picked with a handle. */
export function canPickHandles(): boolean {
  const host: Window & PickerWindow = window;
  return host.showOpenFilePicker !== undefined;
}

/**
 * Lets a person pick files.
 *
 * @returns undefined when nothing was picked
 * @throws {DOMException} when the browser does not allow it here
 */
export async function pickFiles(): Promise<PickedFiles | undefined> {
  const host: Window & PickerWindow = window;
  let handles: FileSystemFileHandle[] = [];
  try {
    handles = (await host.showOpenFilePicker?.(pickerOptions)) ?? [];
  } catch (thrown) {
    if (thrown instanceof DOMException && thrown.name === "AbortError") return undefined;
    throw thrown;
  }
  const files = await Promise.all(handles.map((handle) => handle.getFile()));
  return { files, handle: handles.length === 1 ? handles[0] : undefined };
}

/** What was dropped. The list of a drop is empty once its event is over, so it is read before anything is waited for. */
export async function readDrop(transfer: DataTransfer): Promise<PickedFiles> {
  const files = [...transfer.files];
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const handle = items.length === 1 ? await handleOf(items[0]) : undefined;
  return { files, handle };
}

async function handleOf(item: DataTransferItem & HandleItem): Promise<FileSystemFileHandle | undefined> {
  try {
    const handle = await item.getAsFileSystemHandle?.();
    return handle instanceof FileSystemFileHandle ? handle : undefined;
  } catch {
    // The file itself is there all the same.
    return undefined;
  }
}

/** One file, or the shards of one model in their order. Undefined when there are none. */
export function sourceOfFiles(files: readonly File[]): ModelSource | undefined {
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const [first] = sorted;
  if (first === undefined) return undefined;
  return { location: sorted.length === 1 ? first : sorted, name: first.name };
}
