// Files of this computer: picked or dropped, with a handle where the browser has them, so that a file can be read in place on the
// next visit. One of several picked files is a shard of a split model or a file of a safetensors folder.

import type { ModelSource } from "./model_host.ts";

/** What files of models end in. */
export const modelFileEndings: readonly string[] = [".gguf", ".safetensors", ".json", ".jinja"];

/** `handle` is that of a single file; the files of a model in several are not remembered. */
export interface PickedFiles {
  readonly files: readonly File[];
  /** Name of the folder that they lie in, when that was dropped. */
  readonly folder?: string | undefined;
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
  types: [{ description: "Models", accept: { "application/octet-stream": modelFileEndings } }],
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
  const folder = items.map((item) => item.webkitGetAsEntry()).find(isFolder);
  if (folder !== undefined) return { files: await filesOf(folder), folder: folder.name };
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

/** By its flag: not every browser has the classes by these names. */
function isFolder(entry: FileSystemEntry | null): entry is FileSystemDirectoryEntry {
  return entry?.isDirectory === true;
}

function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}

/** A folder as large as any model's, and no larger. */
const mostFiles = 1000;

/** The files that lie in a folder itself and may belong to a model. */
async function filesOf(folder: FileSystemDirectoryEntry): Promise<File[]> {
  const reader = folder.createReader();
  const files: File[] = [];
  while (files.length < mostFiles) {
    // A browser hands them out in portions; the last is empty.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (entries.length === 0) break;
    for (const entry of entries) {
      if (!isFile(entry) || !modelFileEndings.some((ending) => entry.name.endsWith(ending))) continue;
      files.push(await new Promise<File>((resolve, reject) => entry.file(resolve, reject)));
    }
  }
  return files;
}

/** One file, or the files of one model in their order. Undefined when there are none. */
export function sourceOfFiles({ files, folder }: Pick<PickedFiles, "files" | "folder">): ModelSource | undefined {
  const sorted = files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const [first] = sorted;
  if (first === undefined) return undefined;
  const weights = sorted.find(({ name }) => name.endsWith(".safetensors")) ?? first;
  return { location: sorted.length === 1 ? first : sorted, name: folder ?? weights.name };
}
