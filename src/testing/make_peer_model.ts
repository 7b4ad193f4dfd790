// Writes the canonical random models of ../shared/peers and their float64 reference into .cache/peers, once, with Python and numpy.
// Runs in Node only: in the test process, or in the Vitest server on behalf of a browser test.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

export interface PeerModelName {
  shape: string;
  arch: string;
  type: string;
}

/** Paths relative to .cache, or why there are none. */
export type PeerModelFiles = { gguf: string; ref: string } | { reason: string };

const ALLOWED = { shape: ["small", "k256"], arch: ["llama", "qwen2", "qwen3"], type: ["f32", "f16", "q8_0", "q4_0", "q4_k"] };

const run = promisify(execFile);

/** Written under another name and renamed, so that a killed run or a second process never leaves half a file. */
async function make(script: string, file: string, args: (part: string) => string[]): Promise<void> {
  if (existsSync(file)) return;
  const part = `${file}.${process.pid}.part`;
  await run("python3", [script, ...args(part)]);
  renameSync(part, file);
}

/**
 * @param root the repository root
 * @throws when the scripts fail although Python, numpy and the folder are there
 */
export async function makePeerModel(root: string, name: PeerModelName): Promise<PeerModelFiles> {
  const { shape, arch, type } = name;
  const known = ALLOWED.shape.includes(shape) && ALLOWED.arch.includes(arch) && ALLOWED.type.includes(type);
  if (!known) throw new Error(`no canonical model ${shape} ${arch} ${type}`);
  const peers = join(root, "..", "shared", "peers");
  const folder = join(root, ".cache", "peers");
  const gguf = `${shape}-${arch}-${type}.gguf`;
  const ref = `${shape}-${arch}-ref.json`;
  const files = { gguf: `peers/${gguf}`, ref: `peers/${ref}` };
  if (existsSync(join(folder, gguf)) && existsSync(join(folder, ref))) return files;
  if (!existsSync(peers)) return { reason: "../shared/peers is absent" };
  try {
    await run("python3", ["-c", "import numpy"]);
  } catch {
    return { reason: "python3 with numpy is absent" };
  }
  mkdirSync(folder, { recursive: true });
  const model = ["--shape", shape, "--arch", arch];
  await make(join(peers, "make_gguf.py"), join(folder, gguf), (part) => [part, ...model, "--type", type]);
  await make(join(peers, "ref_forward.py"), join(folder, ref), (part) => [...model, "-n", "32", "-o", part]);
  return files;
}
