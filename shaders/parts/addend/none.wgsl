// What is added to vec4 `col` of each row: nothing.

fn addend(col: u32) -> vec4<f32> {
  return vec4<f32>();
}
