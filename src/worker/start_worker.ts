// Starts the engine's worker from wherever the package lies: the same origin, another one (a CDN), under Trusted Types.
// Resolves when the script runs and has said whether its thread has WebGPU.

import { ShaderloomError, abortError, throwIfAborted } from "../base/errors.ts";
import { parseFromWorker } from "./protocol.ts";

/** The one policy of this package. A page that lists policies allows it with `trusted-types shaderloom`. */
const POLICY_NAME = "shaderloom";

/** Long enough for a script from a slow host; after it a page should rather load the engine itself. */
const START_TIMEOUT_MS = 30_000;

/** What this module uses of the Trusted Types API, which TypeScript's DOM types lack. */
interface ScriptUrlPolicy {
  createScriptURL(input: string): unknown;
}
interface TrustedTypesHolder {
  readonly trustedTypes?: { createPolicy(name: string, rules: ScriptUrlPolicy): ScriptUrlPolicy };
  /** A policy can be made once per page, so it is kept with the page and not with a copy of this module. */
  [policySlot]?: ScriptUrlPolicy;
}
const policySlot: unique symbol = Symbol.for("shaderloom.trustedTypesPolicy") as never;

/** The address in the form the Worker constructor accepts under Trusted Types. The policy makes this address only. */
function trusted(address: string): string {
  const holder = globalThis as TrustedTypesHolder;
  if (holder.trustedTypes === undefined) return address;
  try {
    holder[policySlot] ??= holder.trustedTypes.createPolicy(POLICY_NAME, {
      createScriptURL: (input) => {
        if (input !== address) throw new TypeError("the shaderloom policy makes the address of its worker only");
        return input;
      },
    });
    return holder[policySlot].createScriptURL(address) as string;
  } catch {
    // The page's list of policies does not have ours. Where Trusted Types are enforced the constructor will say so.
    return address;
  }
}

/** A script of another origin cannot be a worker, but a same-origin blob can import it where its host allows (CORS). */
function sameOriginAddress(url: URL): string {
  if (url.origin === globalThis.location.origin || url.protocol === "blob:" || url.protocol === "data:") return url.href;
  const source = `import ${JSON.stringify(url.href)};`;
  return URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
}

/**
 * A worker from the script beside this module.
 *
 * Bundlers find a worker's script only in the literal expression `new Worker(new URL("…", import.meta.url), …)`, so that is
 * how it is written; but Trusted Types and other origins need the address in another form. While the literal is evaluated
 * the name `Worker` therefore stands for a function that takes the address. The swap lasts for one synchronous expression.
 */
function constructWorker(): Worker {
  const NativeWorker = globalThis.Worker;
  const construct = function construct(url: string | URL, options?: WorkerOptions): Worker {
    const address = sameOriginAddress(new URL(url, globalThis.location.href));
    return new NativeWorker(trusted(address), options);
  };
  globalThis.Worker = construct as unknown as typeof Worker;
  try {
    return new Worker(new URL("./entry.ts", import.meta.url), { type: "module", name: "shaderloom" });
  } finally {
    globalThis.Worker = NativeWorker;
  }
}

function startError(message: string): ShaderloomError {
  return new ShaderloomError(
    "WORKER.start",
    `The engine's worker did not start: ${message}. Check that the package's worker.js is served beside its index.js and that the page's Content-Security-Policy allows it, or pass worker: false.`,
  );
}

/** A started worker. */
export interface StartedWorker {
  readonly worker: Worker;
  /** Whether `navigator.gpu` is there. */
  readonly webgpu: boolean;
}

/** @throws {ShaderloomError} WORKER.start, AbortError; the worker is gone then */
export async function startWorker(signal?: AbortSignal): Promise<StartedWorker> {
  throwIfAborted(signal);
  let worker: Worker;
  try {
    worker = constructWorker();
  } catch (cause) {
    throw startError(cause instanceof Error ? cause.message : String(cause));
  }
  const scope = new AbortController();
  const listening = { signal: scope.signal };
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const webgpu = await new Promise<boolean>((resolve, reject) => {
      worker.addEventListener(
        "message",
        (event) => {
          const message = parseFromWorker(event.data);
          if (message?.kind === "hello") resolve(message.webgpu);
        },
        listening,
      );
      worker.addEventListener("error", (event) => reject(startError(event.message || "its script could not be loaded")), listening);
      signal?.addEventListener("abort", () => reject(abortError()), listening);
      timer = setTimeout(() => reject(startError("no answer")), START_TIMEOUT_MS);
    });
    return { worker, webgpu };
  } catch (error) {
    worker.terminate();
    throw error;
  } finally {
    clearTimeout(timer);
    scope.abort();
  }
}
