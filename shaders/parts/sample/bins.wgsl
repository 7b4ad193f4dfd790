// Counts and masses by a digit, and the digit at which those from the highest down reach what is wanted. What overflows the low word of a
// mass is carried by whoever made it overflow, so that a sum does not depend on the order of lanes.
// Workgroup memory: 3 (BINS + BINS / 16) words. Consts: WG, BINS. Parts: sample/wide, loop.

const BINS_GROUPS = BINS / 16;

/// Behind the bins, sums of 16 of them.
var<workgroup> bins_count: array<atomic<u32>, BINS + BINS_GROUPS>;
var<workgroup> bins_low: array<atomic<u32>, BINS + BINS_GROUPS>;
var<workgroup> bins_high: array<atomic<u32>, BINS + BINS_GROUPS>;

/// What is looked for: the first sum of bins, from the highest down, that reaches `wanted`.
struct Aim {
  wanted: vec2<u32>,
  /// Count and mass before the highest bin.
  base: vec3<u32>,
  /// Masses of bins are divided by 2^shift, each rounded down.
  shift: u32,
  /// If not 0, masses are of weights below a tile's largest token, which has this weight itself.
  weight: u32,
}

/// A digit, and the sum of what lies above it. Without one, `above` is the sum of all.
struct Found {
  found: bool,
  digit: u32,
  above: vec3<u32>,
  count: u32,
  /// Whether all that the bin has is wanted.
  whole: bool,
  wanted: vec2<u32>,
}

fn bins_set(bin: u32, own: vec3<u32>) {
  atomicStore(&bins_count[bin], own.x);
  atomicStore(&bins_low[bin], own.y);
  atomicStore(&bins_high[bin], own.z);
}

fn bins_add_mass(bin: u32, mass: vec2<u32>) {
  let before = atomicAdd(&bins_low[bin], mass.x);
  let high = mass.y + select(0u, 1u, before + mass.x < before);
  if (high != 0) {
    atomicAdd(&bins_high[bin], high);
  }
}

fn bins_at(bin: u32, shift: u32) -> vec3<u32> {
  let mass = wide_shift(vec2<u32>(atomicLoad(&bins_low[bin]), atomicLoad(&bins_high[bin])), shift);
  return vec3<u32>(atomicLoad(&bins_count[bin]), mass);
}

fn bins_sum(a: vec3<u32>, b: vec3<u32>) -> vec3<u32> {
  return vec3<u32>(a.x + b.x, wide_add(a.yz, b.yz));
}

/// Sums of 16 bins.
fn bins_group(shift: u32, lane: u32) {
  for (var group = lane; group < upto(BINS_GROUPS); group += WG) {
    var sum = vec3<u32>();
    for (var bin = 0u; bin < upto(16); bin++) {
      sum = bins_sum(sum, bins_at(16 * group + bin, shift));
    }
    bins_set(BINS + group, sum);
  }
}

/// Through the groups, then through the bins of one; every lane walks the same way.
fn bins_walk(aim: Aim, by_count: bool) -> Found {
  var result = Found(false, 0, aim.base, 0, false, aim.wanted);
  var group = 0u;
  var at = upto(BINS_GROUPS + 16);
  while (at > 0) {
    at--;
    let of_group = at >= 16;
    let own = bins_at(select(16 * group, BINS - 16, of_group) + at, select(aim.shift, 0u, of_group));
    let next = bins_sum(result.above, own);
    var value = select(next.yz, vec2<u32>(next.x, 0), by_count);
    if (aim.weight > 0) {
      value = wide_scaled(wide_shift(value, 10).x, aim.weight);
    }
    let less = wide_less(value, aim.wanted);
    if (less) {
      result.above = next;
    }
    if (select(at < 16, at == 16, less)) {
      result = Found(!less, 16 * group + at, result.above, own.x, (own.x == 1) | all(value == aim.wanted), aim.wanted);
      break;
    }
    if (!less) {
      group = at - 16;
      at = 16;
    }
  }
  return result;
}
