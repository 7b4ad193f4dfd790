export interface Tally {
  passed: number;
  failed: number;
  skipped: number;
  skips: { name: string; reason: string }[];
  failures: string[];
}
export interface ChildResult {
  code: number;
  output: string;
  timedOut: boolean;
}
export declare function emptyTally(): Tally;
export declare function runChild(
  command: string[],
  options: { seconds: number; show: boolean; env?: Record<string, string> },
): Promise<ChildResult>;
export declare function runCheck(phase: { name: string; command: string[]; seconds?: number; printAlways?: boolean }): Promise<Tally>;
export declare function runTests(phase: {
  name: string;
  command: string[];
  seconds: number;
  env: (file: string) => Record<string, string>;
  read: (report: Tally) => Tally;
}): Promise<Tally>;
