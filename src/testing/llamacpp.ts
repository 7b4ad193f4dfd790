// llama.cpp (npm node-llama-cpp, on the CPU) on a model file, through the runner of ../shared/peers in a process of its own.
// The runner compares logits that it is handed with its own. Node only; gives a reason where it cannot run.

import type { Skipper } from "./gpu.ts";
import type { PeerModelName } from "./peer_model.ts";

/** What the runner calls a reference; here it carries our values. */
export interface LogitsToCompare {
  readonly prompt: readonly number[];
  /** Raw logits after the prompt, for the whole vocabulary. */
  readonly logits: readonly number[];
  /** Greedy ids after the prompt, as many as are to be compared. */
  readonly greedy: readonly number[];
  /** The most likely first; the runner only repeats them. */
  readonly top: ReadonlyArray<readonly [id: number, logit: number]>;
}

export interface LlamacppComparison {
  /** Root mean square of the differences over that of ours. */
  readonly relRms: number;
  readonly greedyMatch: boolean;
}

/** Where `scripts/peer_packages.mjs` installs it. */
const packages = ".cache/peers_npm";

async function missing(root: string): Promise<string | undefined> {
  const { existsSync } = await import("node:fs");
  if (!existsSync(`${root}/../shared/peers/llamacpp_node.mjs`)) return "../shared/peers is absent";
  if (existsSync(`${root}/${packages}/node_modules/node-llama-cpp/package.json`)) return undefined;
  return "node-llama-cpp is not installed (node scripts/setup.mjs says why)";
}

/** Skips the calling test, with the reason, where llama.cpp cannot run. */
export async function llamacppOrSkip(context: Skipper): Promise<void> {
  if (typeof window !== "undefined") context.skip("llama.cpp runs in Node only");
  const reason = await missing(process.cwd());
  if (reason !== undefined) context.skip(reason);
}

/** Drivers that the test process was given are no business of a CPU engine; their libraries could even shadow its own. */
function plainEnvironment(root: string): Record<string, string | undefined> {
  const drop = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "LD_LIBRARY_PATH", "NODE_OPTIONS"];
  const kept = Object.entries(process.env).filter(([name]) => !drop.includes(name));
  return { ...Object.fromEntries(kept), PEERS_DIR: `${root}/${packages}` };
}

/** @param name  the canonical model, which `peerModelOrSkip` has made */
export async function compareWithLlamacpp(name: PeerModelName, ours: LogitsToCompare): Promise<LlamacppComparison> {
  return compareFileWithLlamacpp(`${process.cwd()}/.cache/peers/${name.shape}-${name.arch}-${name.type}.gguf`, ours);
}

/**
 * @param model  path of a GGUF file, or the file; of 932 tokens or more, because the runner takes a prompt of its own for speed
 * @throws when the runner fails
 */
export async function compareFileWithLlamacpp(model: string | Uint8Array, ours: LogitsToCompare): Promise<LlamacppComparison> {
  const [{ execFile }, { mkdtemp, rm, writeFile }, { tmpdir }, { promisify }] = await Promise.all([
    import("node:child_process"),
    import("node:fs/promises"),
    import("node:os"),
    import("node:util"),
  ]);
  const root = process.cwd();
  const folder = await mkdtemp(`${tmpdir()}/shaderloom-`);
  try {
    const reference = `${folder}/ours.json`;
    await writeFile(reference, JSON.stringify(ours));
    const path = typeof model === "string" ? model : `${folder}/model.gguf`;
    if (typeof model !== "string") await writeFile(path, model);
    // The runner also measures speed; a token of each is the least it does.
    const args = [`--model=${path}`, `--ref=${reference}`, "--prefill=2", "--decode=1", "--runs=1"];
    const { stdout } = await promisify(execFile)(process.execPath, [`${root}/../shared/peers/llamacpp_node.mjs`, ...args], {
      cwd: root,
      env: plainEnvironment(root),
      timeout: 100_000,
      maxBuffer: 1 << 24,
    });
    const line = stdout.split("\n").findLast((text) => text.startsWith("{"));
    if (line === undefined) throw new Error(`the llama.cpp runner printed no result: ${stdout.slice(0, 500)}`);
    return (JSON.parse(line) as { oracle: LlamacppComparison }).oracle;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
