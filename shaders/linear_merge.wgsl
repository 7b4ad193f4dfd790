// y[t, i] = sum over s of partials[t, s * n + i] (+ bias[i]): the parts of K that gemv.wgsl summed side by side.
// partials [rows, PARTIAL_STRIDE] in vec4, SPLITS times N4 vec4; y as in parts/rows.
// Grid and workgroup memory: as in parts/rows. Consts: N4 (vec4 of a split), SPLITS, PARTIAL_STRIDE, STRIDE, Y_F16 (act_t is f16).
// Parts: rows, addend, block32.

fn made(row: u32, col: u32) -> vec4<f32> {
  if (col >= N4) {
    return vec4<f32>();
  }
  var sum = addend(col);
  for (var split = 0u; split < SPLITS; split++) {
    sum += partials[row * PARTIAL_STRIDE + split * N4 + col];
  }
  if (Y_F16) {
    return vec4<f32>(within_f16(sum.x), within_f16(sum.y), within_f16(sum.z), within_f16(sum.w));
  }
  return sum;
}
