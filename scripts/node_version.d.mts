export declare function nodeProblem(version: string): string | undefined;
export declare function requireNode(): void;
