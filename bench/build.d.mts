export declare const benchFolder: string;
export declare function buildBench(): Promise<void>;
