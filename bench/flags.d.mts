import type { BrowserModelSpec, BrowserSuiteOptions } from "./browser.mjs";

export type Flags = Readonly<Record<string, string | boolean | undefined>>;

export declare const sections: readonly string[];
export declare function readFlags(args: readonly string[]): Flags;
export declare function specOf(model: string, bundledModel: string): BrowserModelSpec | undefined;
export declare function suiteOptions(flags: Flags, bundledModel: string): BrowserSuiteOptions;
