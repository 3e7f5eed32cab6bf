import { describe, expect, it } from 'vitest';
import { tf } from '../trace/tensorflow.js';
import { initialState } from '../train/initial-state.js';
import { type ImageNetworkSettings, imageDecoder, imageEncoder } from './image-networks.js';
import { Scope } from './variable.js';

const layer = (channels: number, stride: 1 | 2 = 1) => ({ channels, stride, size: 3 });

/** Shapes of the code and of what is decoded from it, for two images of this size. */
function shapes(settings: ImageNetworkSettings, height: number, width: number): [number[], number[]] {
  const image = { height, width, channels: 3 };
  const scope = new Scope();
  const encode = imageEncoder(scope.child('encoder'), settings, image, 10);
  const decode = imageDecoder(scope.child('decoder'), settings, image, 10, 6);
  const state = initialState(scope.variables(), 1);
  for (const variable of scope.variables()) variable.bind(tf.tensor(state.get(variable.name)!, [...variable.shape]));
  const code = encode(tf.zeros([2, height, width, 3]));
  return [code.shape, decode(code).shape];
}

describe('image networks', () => {
  const convolutional: ImageNetworkSettings = {
    encoder: [layer(4, 2), layer(5), layer(6, 2), layer(6, 2)],
    decoder: [layer(6, 2), layer(5, 2), layer(4), layer(4, 2)],
    hidden: [7],
    activation: 'relu',
  };

  it.each([
    [28, 28],
    [32, 32],
    [7, 12],
    [9, 5],
  ])('bring %i x %i pixels to a code and back to their size', (height, width) => {
    expect(shapes(convolutional, height, width)).toEqual([
      [2, 10],
      [2, height, width, 6],
    ]);
  });

  it('do without convolutions', () => {
    const dense: ImageNetworkSettings = { encoder: [], decoder: [], hidden: [8, 7], activation: 'elu' };
    expect(shapes(dense, 4, 3)).toEqual([
      [2, 10],
      [2, 4, 3, 6],
    ]);
  });

  it('refuse a decoder that does not undo the encoder', () => {
    const lame = { ...convolutional, decoder: [layer(6, 2), layer(4)] };
    expect(() => shapes(lame, 28, 28)).toThrowError(/configuration\.decoder.*less often/);
  });
});
