// The page of the load bench: hands orders on to its one worker, and loads models through the public door.

import { createEngine, type EngineOptions } from "../src/index.ts";
import type { LoadBench } from "./load_worker.ts";

let next = 0;

/** Starts the worker; its calls are those of `LoadBench`. */
export function startBench(): (call: keyof LoadBench, args: readonly unknown[]) => Promise<unknown> {
  const worker = new Worker(new URL("load_worker.js", document.baseURI), { type: "module", name: "load bench" });
  return (call, args) =>
    new Promise((resolve, reject) => {
      const id = next++;
      worker.addEventListener("error", (event) => reject(new Error(event.message)), { once: true });
      worker.addEventListener("message", function listen(event: MessageEvent<{ id: number; value?: unknown; error?: string }>) {
        if (event.data.id !== id) return;
        worker.removeEventListener("message", listen);
        if (event.data.error === undefined) resolve(event.data.value);
        else reject(new Error(event.data.error));
      });
      worker.postMessage({ id, call, args }, []);
    });
}

export { createEngine };

export interface EngineLoad {
  readonly ms: number;
  /** Milliseconds since the start at which each phase began. */
  readonly phases: Readonly<Record<string, number>>;
  readonly storage: unknown;
  readonly worker: boolean;
}

/** Loads a model as any page would, asks for one token and lets go of it. */
export async function loadEngine(model: string, options: Partial<EngineOptions>): Promise<EngineLoad> {
  const start = performance.now();
  const phases: Record<string, number> = {};
  const onProgress: EngineOptions["onProgress"] = ({ phase }) => {
    phases[phase] ??= performance.now() - start;
  };
  const engine = await createEngine({ ...options, model, worker: true, onProgress });
  const ms = performance.now() - start;
  const { worker, storage } = await engine.info();
  await engine.unload();
  return { ms, phases, storage, worker };
}
