// From a model's location to a running session: header, checks, graph, device, weights and pipelines side by side, text.
// Whatever fails frees everything that was made.

import { asShaderloomError, throwIfAborted } from "../base/errors.ts";
import { formatByGgufType } from "../formats/index.ts";
import { BufferLedger } from "../gpu/buffers.ts";
import { openDevice, type OpenDevice } from "../gpu/device.ts";
import { tokenizerFromGguf } from "../text/tokenizer.ts";
import { assertSupported, openGguf } from "../weights/gguf.ts";
import { openSource } from "../weights/source.ts";
import type { ByteSource, HubOptions, ModelLocation } from "../weights/source.ts";
import { buildModel, type LoadedModel } from "./model.ts";
import { createLoadReport, type LoadProgressListener } from "./progress.ts";
import { noDiagnostics } from "../store/diagnostics.ts";
import type { Session, SessionStorage } from "./session.ts";
import { createSession } from "./live_session.ts";
import { prepareRunner } from "./prepare.ts";

export interface LoadSessionOptions {
  readonly model: ModelLocation;
  readonly contextLength?: number | undefined;
  readonly activations?: "f32" | "f16" | "int8" | undefined;
  readonly deviceClass?: "gpu" | "cpu" | undefined;
  readonly hub?: HubOptions | undefined;
  /** Default `navigator.gpu`. */
  readonly gpu?: GPU | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: LoadProgressListener | undefined;
  /** Lowers the largest bound range, to test splitting by rows. */
  readonly maxBindingBytes?: number | undefined;
}

/** Formats that tensors may have. */
const supportedTypes: ReadonlySet<number> = new Set(formatByGgufType.keys());

/**
 * Loads a model. On failure or abort nothing stays allocated.
 * @throws {ShaderloomError} of the room that refused: SOURCE, NET, FORMAT, LIMIT, UNSUPPORTED, MODEL, TOKENIZER, TEMPLATE,
 *   CONTEXT, GPU, AbortError
 */
export async function loadSession(options: LoadSessionOptions): Promise<Session> {
  const { signal } = options;
  const startMs = performance.now();
  const report = createLoadReport(options.onProgress);
  throwIfAborted(signal);
  // A missing adapter is said before a download starts.
  const opened = await openDevice(options.gpu ?? globalThis.navigator?.gpu, {
    deviceClass: options.deviceClass,
    maxBindingBytes: options.maxBindingBytes,
  });
  const ledger = new BufferLedger(opened.device);
  const stop = new AbortController();
  let source: ByteSource | undefined;
  try {
    report.phase("open");
    source = await openSource(options.model, { ...(options.hub ? { hub: options.hub } : {}), ...(signal ? { signal } : {}) });
    const model = await readModel(source, options, opened, report);
    // A vocabulary or template that cannot be used ends the load at once, whatever is still being read or compiled.
    const text = loadText(model);
    const runner = prepareRunner({ source, model, opened, ledger, signal: anySignal(stop.signal, signal), report });
    void runner.then(
      () => report.phase("tokenizer"),
      () => undefined,
    );
    const [prepared, { tokenizer, chatTemplate }] = await Promise.all([runner, text]);
    throwIfAborted(signal);
    report.phase("ready");
    return createSession({
      model,
      opened,
      ledger,
      tokenizer,
      chatTemplate,
      loadMs: performance.now() - startMs,
      storage: unstored(),
      release,
      ...prepared,
    });
  } catch (error) {
    stop.abort();
    ledger.destroyAll();
    opened.destroy();
    throw asShaderloomError(error);
  } finally {
    source?.close?.();
  }
}

function release(): void {}

function unstored(): SessionStorage {
  return { tier: null, model: null, complete: false, verified: false, diagnostics: noDiagnostics(), warning: null };
}

function anySignal(own: AbortSignal, given: AbortSignal | undefined): AbortSignal {
  return given ? AbortSignal.any([own, given]) : own;
}

async function readModel(
  source: ByteSource,
  options: LoadSessionOptions,
  opened: OpenDevice,
  report: ReturnType<typeof createLoadReport>,
): Promise<LoadedModel> {
  report.phase("header", source.name);
  const file = await openGguf(source, options.signal ? { signal: options.signal } : {});
  assertSupported(file.tensors.values(), supportedTypes);
  return buildModel(file, source, { ...options, caps: opened.caps });
}

async function loadText(model: LoadedModel): Promise<Pick<Parameters<typeof createSession>[0], "tokenizer" | "chatTemplate">> {
  const tokenizer = await tokenizerFromGguf(model.file.metadata);
  const template = model.file.metadata.get("tokenizer.chat_template");
  if (typeof template !== "string") return { tokenizer, chatTemplate: undefined };
  // A chunk of its own: models without a template, and pages before a load, need none of it.
  const { compileChatTemplate } = await import("../text/chat_template.ts");
  return { tokenizer, chatTemplate: await compileChatTemplate(template) };
}
