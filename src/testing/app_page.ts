// The page in a browser with a library, an estimate and an engine that are not real, and what a person does with it.
import { expect, vi } from "vitest";
import { App } from "../app/app.ts";
import type { CatalogueEntry } from "../app/catalogue.ts";
import type { Engine, EngineInfo, EngineOptions, Estimate, EstimateOptions, StreamingStats } from "../index.ts";
import { fakeEstimate, fakeLibrary, type FakeLibrary } from "./fake_library.ts";

type Warning = EngineInfo["storage"]["warning"];

export interface Page {
  readonly library: FakeLibrary;
  readonly loads: EngineOptions[];
  readonly estimates: EstimateOptions[];
  estimate: Partial<Estimate>;
  warning: Warning;
  streaming: Partial<StreamingStats> | null;
  /** What is done with conversations, in order; `kept` is what the engine has of one, in tokens. */
  readonly sessions: string[];
  kept: number | undefined;
  /** What the next loads throw. */
  readonly failures: Error[];
}

/** The model of the page's catalogue. */
export const bundled: CatalogueEntry = { name: "Tiny", description: "Small.", location: `${location.origin}/tiny.gguf`, bundled: true };
/** A model that is not stored. */
export const address: string = "https://host.example/model.gguf";

export function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code, retryable: false, detail: {} });
}

function infoOf(warning: Warning, model: string | null): EngineInfo {
  const diagnostics = { damagedChunks: 0, refusedChunks: 0 };
  return {
    model: { name: "m", architecture: "llama", parameters: 1e6, chatTemplate: true },
    adapter: { vendor: "v", architecture: "a", description: "Test GPU", deviceClass: "gpu", f16: true },
    contextLength: 512,
    storage: { tier: null, model, complete: warning === null, verified: false, diagnostics, warning },
  } as unknown as EngineInfo;
}

export async function openPage(models: Parameters<typeof fakeLibrary>[0] = [], kept?: number): Promise<Page> {
  const page: Page = {
    library: fakeLibrary(models),
    loads: [],
    estimates: [],
    estimate: {},
    warning: null,
    streaming: null,
    failures: [],
    sessions: [],
    kept,
  };
  const app = new App({
    async createEngine(options) {
      page.loads.push(options);
      const thrown = page.failures.shift();
      if (thrown) throw thrown;
      const engine = {
        info: async () => infoOf(page.warning, page.library.models.find(({ location: at }) => at === options.model)?.id ?? null),
        stats: async () => ({
          gpuBytes: { total: 1e7 },
          kernels: { chosen: [], dropped: [] },
          dispatches: { decode: 1, prefill: 1 },
          fusion: { decode: [], prefill: [] },
          tokensInFlight: 1,
          kvPages: {
            used: 3,
            capacity: 16,
            growths: 0,
            cached: 2,
            type: options.kv?.type ?? "f16",
            pageTokens: 32,
            bytesPerThousandTokens: 41e6,
          },
          streaming: page.streaming,
        }),
        unload: async () => undefined,
        async loadSession(id: string) {
          page.sessions.push(`load ${id}`);
          if (page.kept === undefined) throw failure("SESSION.missing", "Nothing is saved under this name. List the sessions.");
          return { tokens: page.kept };
        },
        async deleteSession(id: string) {
          page.sessions.push(`delete ${id}`);
        },
      };
      return engine as unknown as Engine;
    },
    async estimate(options) {
      page.estimates.push(options);
      return fakeEstimate(page.estimate);
    },
    openModels: async () => page.library,
    fetchCatalogue: async () => [bundled],
  });
  await app.start(document.body);
  return page;
}

/** Sheets that are open, the last one on top. */
export function sheet(): HTMLDialogElement | undefined {
  return [...document.querySelectorAll("dialog")].findLast(({ open }) => open);
}

export function findButton(name: string): HTMLButtonElement | undefined {
  const shown = [...document.querySelectorAll("button")].filter((node) => node.checkVisibility());
  return shown.find((node) => (node.ariaLabel ?? node.textContent) === name);
}

export async function press(name: string): Promise<void> {
  await vi.waitFor(() => expect(findButton(name), `button ${name}`).toBeDefined());
  const node = findButton(name);
  node?.focus();
  node?.click();
}

export async function see(text: string | RegExp): Promise<void> {
  await vi.waitFor(() => expect(document.body.innerText).toMatch(text));
}

export function escape(): void {
  document.activeElement?.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true, cancelable: true }));
}

export async function pickAddress(location: string, token?: string): Promise<void> {
  document.querySelector<HTMLButtonElement>("button.model")?.click();
  const input = document.querySelector<HTMLInputElement>("#model-address");
  const secret = document.querySelector<HTMLInputElement>("#model-token");
  if (!input || !secret) throw new Error("no field for an address");
  input.value = location;
  secret.value = token ?? "";
  await press("Load");
}
