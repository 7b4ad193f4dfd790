export interface VulkanDriver {
  env?: Record<string, string>;
  reason?: string;
}
export declare const lavapipeFolder: string;
export declare function findLavapipe(folder?: string): VulkanDriver;
export declare function findSwiftshader(): VulkanDriver;
