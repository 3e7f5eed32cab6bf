// Drawings brought to the form of MNIST: scaled to fit a box of 20 in 28 pixels, centred by mass
// (LeCun et al. 1998, sec. III.A).

/** A grey picture, row-major, 0 (ground) to 1 (stroke). */
export interface Grey {
  readonly width: number;
  readonly height: number;
  readonly data: Float32Array<ArrayBuffer>;
}

const BOX_SHARE = 20 / 28;
const INK = 0.05;

/** The drawing at `width` x `height`, scaled and centred; an empty drawing stays empty. */
export function centreDigit(drawing: Grey, width: number, height: number): Grey {
  const bounds = boundsOf(drawing);
  if (!bounds) return { width, height, data: new Float32Array(width * height) };
  const scale = (Math.min(width, height) * BOX_SHARE) / Math.max(bounds.width, bounds.height);
  const [x, y] = centreOfMass(drawing);
  return scaleAround(drawing, x, y, scale, width, height);
}

function boundsOf({ width, height, data }: Grey): { width: number; height: number } | undefined {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if ((data[y * width + x] ?? 0) < INK) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
  }
  return right < 0 ? undefined : { width: right - left + 1, height: bottom - top + 1 };
}

function centreOfMass({ width, height, data }: Grey): readonly [number, number] {
  let [mass, sumX, sumY] = [0, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = data[y * width + x] ?? 0;
      mass += value;
      sumX += value * (x + 0.5);
      sumY += value * (y + 0.5);
    }
  }
  return [sumX / mass, sumY / mass];
}

/** Each target pixel is the mean of the source pixels under it; (x, y) of the source comes to the middle. */
function scaleAround(source: Grey, x: number, y: number, scale: number, width: number, height: number): Grey {
  const data = new Float32Array(width * height);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const left = x + (column - width / 2) / scale;
      const top = y + (row - height / 2) / scale;
      data[row * width + column] = meanOver(source, left, top, 1 / scale);
    }
  }
  return { width, height, data };
}

/** Mean over the square [left, left + size) x [top, top + size), in steps of at most a pixel; ground outside. */
function meanOver({ width, height, data }: Grey, left: number, top: number, size: number): number {
  const steps = Math.max(1, Math.ceil(size));
  let sum = 0;
  for (let i = 0; i < steps; i++) {
    for (let j = 0; j < steps; j++) {
      const x = Math.floor(left + ((i + 0.5) * size) / steps);
      const y = Math.floor(top + ((j + 0.5) * size) / steps);
      if (x >= 0 && x < width && y >= 0 && y < height) sum += data[y * width + x] ?? 0;
    }
  }
  return sum / steps ** 2;
}
