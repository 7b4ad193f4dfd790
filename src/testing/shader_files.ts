// The shaders of every kind of target at once: tests and benches force classes.

import { type ShaderFiles, shaderFilesOf } from "../kernels/shader_files.ts";
import { modules as cpu } from "../kernels/shader_texts/cpu_shaders.ts";
import { modules as gpu } from "../kernels/shader_texts/gpu_shaders.ts";
import { modules as int8 } from "../kernels/shader_texts/int8_shaders.ts";
import { modules as kv } from "../kernels/shader_texts/kv_shaders.ts";
import { modules as matrix } from "../kernels/shader_texts/matrix_shaders.ts";
import { modules as rules } from "../kernels/shader_texts/rules_shaders.ts";
import { modules as shared } from "../kernels/shader_texts/shared_shaders.ts";

export const shaderFiles: ShaderFiles = shaderFilesOf(shared, cpu, gpu, int8, matrix, kv, rules);
