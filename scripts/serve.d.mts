export interface Served {
  address: string;
  close(): void;
}
export declare function serve(options: { folder?: string; port: number; tries?: number }): Promise<Served>;
