// Light of a photo, divided out: the numbers of `keras-gans white-balance`.

const linear = Float64Array.from({ length: 256 }, (_, level) => {
  const value = level / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
});

function encoded(value) {
  const srgb = value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055;
  return Math.round(255 * srgb);
}

/** Averages areas of an ImageData, in linear light: Float32Array (size, size, 3). */
export function thumbnail({ data, width, height }, size) {
  const sums = new Float64Array(3 * size * size);
  const [down, across] = [parts(height, size), parts(width, size)];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (const [row, high] of down[y])
        for (const [column, wide] of across[x])
          for (let channel = 0; channel < 3; channel++)
            sums[3 * (size * row + column) + channel] +=
              high * wide * linear[data[4 * (width * y + x) + channel]];
  return Float32Array.from(sums);
}

/** To which of the parts of an axis a pixel belongs, and what share of each it is. */
function parts(length, size) {
  return Array.from({ length }, (_, pixel) => {
    const found = [];
    const [start, end] = [(pixel * size) / length, ((pixel + 1) * size) / length];
    for (let part = Math.floor(start); part < Math.min(end, size); part++) {
      const share = Math.min(end, part + 1) - Math.max(start, part);
      if (share > 0) found.push([part, share]);
    }
    return found;
  });
}

/** Corrects an ImageData by gains of linear RGB; white that is clipped stays. */
export function correct(image, gains) {
  const { data } = image;
  for (let pixel = 0; pixel < data.length; pixel += 4) {
    const least = Math.min(data[pixel], data[pixel + 1], data[pixel + 2]);
    const white = Math.max(10 * linear[least] - 9, 0);
    for (let channel = 0; channel < 3; channel++) {
      const value = linear[data[pixel + channel]] * gains[channel];
      data[pixel + channel] = encoded(Math.min(value + white * (1 - value), 1));
    }
  }
  return image;
}
