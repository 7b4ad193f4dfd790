import type { SuiteResult } from "./suite.ts";

export declare function verdictOf(result: Pick<SuiteResult, "ratios" | "loop" | "stream" | "faults">): string[];
