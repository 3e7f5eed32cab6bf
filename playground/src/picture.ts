// Pictures from and for a model: files that are chosen or dropped, rows of samples, PNG for the code.
import { type FitOptions, float32, fromPixels, type Manifest, type Samples, type Tensor, toBlob } from '@genserve/sdk';
import { context2d, element } from './elements.js';

/** One row of samples, exactly as it was drawn. */
export function rowOf({ data }: Samples, row: number): Tensor {
  const [, ...shape] = data.shape;
  const size = shape.reduce((product, length) => product * length, 1);
  return float32([1, ...shape], Float32Array.from(data.data.subarray(row * size, (row + 1) * size)));
}

/** A picture file as one row of the model's domain. Rejects where the browser cannot read it. */
export async function readPicture(file: Blob, manifest: Manifest): Promise<Tensor> {
  const bitmap = await createImageBitmap(file);
  const canvas = document.createElement('canvas');
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const context = context2d(canvas);
  // What is transparent is white, as it is in training.
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  return fromPixels(pixels, manifest, fitOf(pixels, manifest.domain?.image?.polarity ?? ''));
}

export function isInverted(polarity: string): boolean {
  return polarity === 'dark-on-light';
}

/** A picture whose edge is light is one of dark strokes: it is inverted where the model knows light ones. */
function fitOf({ width, height, data }: ImageData, polarity: string): FitOptions {
  let [sum, count] = [0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (x > 0 && y > 0 && x < width - 1 && y < height - 1) continue;
      sum += data[(y * width + x) * 4] ?? 0;
      count++;
    }
  }
  const isLight = sum / count > 127;
  return { fit: 'contain', invert: polarity === '' ? false : isLight !== isInverted(polarity) };
}

/** One row as PNG in base64. */
export async function pngOf(row: Tensor): Promise<string> {
  return base64(new Uint8Array(await (await toBlob(row)).arrayBuffer()));
}

export function base64(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  }
  return btoa(text);
}

/** Calls `onPicture` for files chosen in the input `fileId` or dropped on `dropId`. */
export function acceptPictures(fileId: string, dropId: string, onPicture: (file: Blob) => void): void {
  const file = element(fileId, HTMLInputElement);
  file.addEventListener('change', () => {
    const [picture] = file.files ?? [];
    if (picture) onPicture(picture);
    file.value = '';
  });
  const drop = element(dropId, HTMLElement);
  drop.addEventListener('dragover', event => {
    event.preventDefault();
    drop.classList.add('over');
  });
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  drop.addEventListener('drop', event => {
    event.preventDefault();
    drop.classList.remove('over');
    const [picture] = event.dataTransfer?.files ?? [];
    if (picture) onPicture(picture);
  });
}
