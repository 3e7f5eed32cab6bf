// Fashion-MNIST (Xiao, Rasul & Vollgraf 2017), as Debian packages it.
import { join } from 'node:path';
import { GenserveError } from '@genserve/runtime';
import { look } from '../files.js';
import type { NamedSource } from '../source.js';
import { readIdxFolder } from './idx-folder.js';

const folder = '/usr/share/datasets/fashion-mnist';

export const fashionMnist: NamedSource = {
  name: 'fashion-mnist',
  description: 'photographs of clothes, 28x28 grey, 10 classes, 60,000 train and 10,000 test',
  licence: 'MIT',
  install: 'apt install dataset-fashion-mnist',
  async available() {
    return look(join(folder, 'train-images-idx3-ubyte.gz')) !== undefined;
  },
  async open(options) {
    if (!(await this.available())) {
      throw new GenserveError(
        'ASSET_UNREACHABLE',
        `data: fashion-mnist is not on this machine; install Debian's package (${this.install}), or give the folder ` +
          'that holds its IDX files as --data',
        { field: 'data' },
      );
    }
    return readIdxFolder(folder, {
      name: this.name,
      classes: [
        't-shirt or top',
        'trousers',
        'pullover',
        'dress',
        'coat',
        'sandal',
        'shirt',
        'sneaker',
        'bag',
        'ankle boot',
      ],
      licence: this.licence,
      attribution: 'Fashion-MNIST by Han Xiao, Kashif Rasul and Roland Vollgraf, Zalando SE',
      options,
    });
  },
};
