// RMSNorm before a matrix-vector product: begin sums squares, a share of each row to each lane, while weights are on their way; parts/dot/norm
// multiplies with the norm's weight, and what is left, 1 / rms, is a factor of the product. begin, settle, factor_of: as in none.wgsl.
// Lanes NORM_LANES * c on have row t + c; rows past the last repeat it. No barrier before the product.
// Workgroup memory: WG + WG / 8 f32, and a barrier after the product's.
// Bindings: x array<vec4<act_t>>. Consts: WG, X_STRIDE (vec4 per row of x), NORM_COLS (COLS, or the next power of two), NORM_K
// (elements of a row), NORM_EPS. Parts: loop. Paper: arXiv:1910.07467.

const NORM_LANES: u32 = WG / NORM_COLS;
/// Sums of a row after settle, of eight lanes each.
const NORM_LEFT: u32 = NORM_LANES / 8u;

var<workgroup> norm_lanes: array<f32, WG>;
var<workgroup> norm_eights: array<f32, WG / 8u>;

fn begin(lane: u32, t: u32, last: u32) {
  let first = min(t + lane / NORM_LANES, last) * X_STRIDE;
  var sum = 0.0;
  for (var i = lane % NORM_LANES; i < upto(X_STRIDE); i += NORM_LANES) {
    let v = vec4<f32>(x[first + i]);
    sum += dot(v, v);
  }
  norm_lanes[lane] = sum;
}

fn settle(lane: u32) {
  if (lane < WG / 8u) {
    let first = lane / NORM_LEFT * NORM_LANES + lane % NORM_LEFT;
    var sum = 0.0;
    for (var i = 0u; i < upto(NORM_LANES); i += NORM_LEFT) {
      sum += norm_lanes[first + i];
    }
    norm_eights[lane] = sum;
  }
  workgroupBarrier();
}

fn factor_of(c: u32) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < upto(NORM_LEFT); i++) {
    sum += norm_eights[c * NORM_LEFT + i];
  }
  return inverseSqrt(sum / f32(NORM_K) + NORM_EPS);
}
