import type { ModelSpec } from "./model_speed.ts";
import type { SuiteOptions, SuiteResult } from "./suite.ts";

/** A file model has a path: the page fetches it. */
export type BrowserModelSpec =
  | Extract<ModelSpec, { kind: "random" }>
  | { readonly kind: "file"; readonly name: string; readonly path: string };

export type BrowserSuiteOptions = Omit<SuiteOptions, "models" | "gpu" | "onProgress" | "clock"> & {
  readonly models: readonly BrowserModelSpec[];
};

export declare function runInBrowser(
  options: BrowserSuiteOptions,
  say: (line: string) => void,
): Promise<{ result: SuiteResult; browser: string }>;
