// A labelled data set of small pictures, written as a folder for `--data`: class k has a bright band in its k-th third.
import { fillNoise, float32 } from '@genserve/runtime';
import { rowWriter } from '@genserve/trainer';

export const side = 9;
export const classes = ['bottom', 'middle', 'top'];
/** Where the folder reader's order of names puts each band. */
const bandOf = [2, 1, 0];

export const domain = {
  image: { height: side, width: side, channels: 1, levels: 256, binarisation: 'none', polarity: '', labels: classes },
};

/** `count` pictures, of the classes in turn, one subfolder a class. */
export async function writeBands(folder: string, count: number): Promise<void> {
  const labels = Array.from({ length: count }, (_, row) => row % classes.length);
  const noise = fillNoise({ seed: 1, name: 'bands', distribution: 'uniform', shape: [side ** 2], count });
  const data = noise.map((value, index) => {
    const third = Math.floor((3 * Math.floor((index % side ** 2) / side)) / side);
    return 0.4 * value + (bandOf[labels[Math.floor(index / side ** 2)]!] === third ? 0.6 : 0);
  });
  const writer = rowWriter(folder, { domain, labels: classes });
  await writer.add({ data: float32([count, side, side, 1], data), labels, seed: 1, firstIndex: 0 });
  await writer.finish();
}

/** The class of each picture, by its brightest third. */
export function classesOf(pictures: ArrayLike<number>): number[] {
  const third = side ** 2 / 3;
  return Array.from({ length: pictures.length / side ** 2 }, (_, row) => {
    const sums = bandOf.map(band => {
      let sum = 0;
      for (let pixel = 0; pixel < third; pixel++) sum += pictures[row * side ** 2 + band * third + pixel]!;
      return sum;
    });
    return sums.indexOf(Math.max(...sums));
  });
}
