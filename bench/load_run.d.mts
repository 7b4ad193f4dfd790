/** How one kind of read compares, in MB/s. */
export interface LoadTable {
  readonly megabytesPerSecond: Readonly<Record<string, number>>;
  readonly reference: string;
  readonly ratios: Readonly<Record<"opfs" | "indexeddb", number>>;
}

export interface WarmLoads {
  readonly browser: string;
  readonly adapter: string;
  readonly fileBytes: number;
  readonly tables: Readonly<Record<string, LoadTable>>;
}

export interface HeapLoad {
  readonly ms: number;
  readonly networkBytes: number;
  readonly peak: { readonly bytes: number };
}

export interface HeapLoads {
  readonly browser: string;
  readonly cold: HeapLoad;
  readonly warm: HeapLoad;
}

export declare function prepareBench(): Promise<void>;
export declare function prepareModel(bytes: number): Promise<string>;
export declare function measureWarmLoads(options: { path: string; rounds: number; only?: readonly string[] }): Promise<WarmLoads>;
export declare function measureHeap(options: { path: string; tier?: "opfs" | "indexeddb" }): Promise<HeapLoads>;
