// The canonical random model of ../shared/peers with its float64 reference, for tests in Node and in the browser.
// Generated on first use and kept in .cache/peers; gives a reason where it cannot be made.
import { readFrom } from "./files.ts";
import type { Skipper } from "./gpu.ts";
import type { PeerModelFiles, PeerModelName } from "./make_peer_model.ts";

export type { PeerModelName } from "./make_peer_model.ts";

/** What ref_forward.py writes (-n 32): logits at the last prompt position, float64. */
export interface PeerReference {
  vocab: number;
  prompt: number[];
  /** Greedy continuation of the prompt. */
  greedy: number[];
  /** The 8 highest [id, logit]. */
  top: Array<[number, number]>;
  std: number;
  /** [vocab] */
  logits: number[];
}

export interface PeerModel {
  gguf: Uint8Array<ArrayBuffer>;
  ref: PeerReference;
}

async function locate(name: PeerModelName): Promise<PeerModelFiles> {
  if (typeof window !== "undefined") {
    const response = await fetch(`/__peers?${new URLSearchParams({ ...name }).toString()}`);
    if (!response.ok) throw new Error(`peer model: ${await response.text()}`);
    return (await response.json()) as PeerModelFiles;
  }
  const { makePeerModel } = await import("./make_peer_model.ts");
  return makePeerModel(process.cwd(), name);
}

async function read(files: { gguf: string; ref: string }): Promise<PeerModel> {
  const [gguf, ref] = await Promise.all([readFrom("cache", files.gguf), readFrom("cache", files.ref)]);
  if (gguf === undefined || ref === undefined) throw new Error(`${files.gguf} vanished from .cache`);
  return { gguf, ref: JSON.parse(new TextDecoder().decode(ref)) as PeerReference };
}

/** File and reference; skips the calling test, with the reason, where Python, numpy or ../shared/peers is absent. */
export async function peerModelOrSkip(context: Skipper, name: PeerModelName): Promise<PeerModel> {
  const files = await locate(name);
  return "reason" in files ? context.skip(files.reason) : read(files);
}
