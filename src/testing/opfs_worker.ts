// The worker of opfs.browser.test.ts: sync access handles exist in dedicated workers only. Runs a case by name, or one step of a
// test that spans threads, and answers with what was thrown.
import { ShaderloomError } from "../base/errors.ts";
import { opfsAvailable, openOpfs } from "../store/opfs.ts";
import { chunkCases } from "./chunk_cases.ts";
import { opfsCases } from "./opfs_cases.ts";

/** What a test asks for. */
export interface OpfsOrder {
  readonly folder: string;
  readonly name: string;
}

export type OpfsAnswer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: string };

async function obey({ folder, name }: OpfsOrder): Promise<unknown> {
  if (name === "available") return opfsAvailable();
  const shared = chunkCases[name];
  if (shared !== undefined) return shared(await openOpfs(folder));
  const own = opfsCases[name];
  if (own === undefined) throw new Error(`there is no case ${name}`);
  return own(folder);
}

function describeError(thrown: unknown): string {
  if (thrown instanceof ShaderloomError) return `${thrown.code}: ${thrown.message}`;
  return thrown instanceof Error ? `${thrown.message}\n${thrown.stack}` : String(thrown);
}

function answer(message: OpfsAnswer): void {
  postMessage(message);
}

addEventListener("message", ({ data }: MessageEvent<OpfsOrder>) => {
  obey(data).then(
    (value) => answer({ ok: true, value }),
    (thrown: unknown) => answer({ ok: false, error: describeError(thrown) }),
  );
});
