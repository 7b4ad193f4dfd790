export declare function stripWgsl(text: string): string;
