// The training steps that are measured: for each a family with its preset here, and a plain PyTorch program in peers/.

export interface TrainNet {
  /** Name in metrics: train.<name>.vs_pytorch. */
  readonly name: string;
  readonly family: string;
  readonly preset: string;
  /** Laid over the preset. */
  readonly configuration?: object;
  /** Laid over the family's training settings. */
  readonly training?: object;
  readonly data: string;
  readonly batch: number;
  /** Program in peers/. */
  readonly peer: string;
  /** Whether PyTorch's layout of images matters: both are tried then. */
  readonly convolutional: boolean;
  /** First steps whose losses must agree; all that are checked when absent. */
  readonly comparedSteps?: number;
}

export const trainNets: readonly TrainNet[] = [
  {
    name: 'vae',
    family: 'vae',
    preset: 'thesis',
    data: 'mnist',
    batch: 64,
    peer: 'vae.py',
    convolutional: true,
  },
  {
    name: 'dcgan',
    family: 'dcgan',
    preset: 'paper',
    // Where gradients are next to nothing Adam's usual epsilon makes a whole step of what both sides round differently.
    training: { optimiser: { name: 'adam', learningRate: 2e-4, beta1: 0.5, epsilon: 1e-4 } },
    data: 'mnist',
    batch: 64,
    peer: 'dcgan.py',
    convolutional: true,
    // To 3e-6 here; a step of two networks that each normalise by the batch multiplies roundings by ten.
    comparedSteps: 3,
  },
  {
    name: 'gated-pixelcnn',
    family: 'gated-pixelcnn',
    preset: 'benchmark',
    data: 'mnist',
    batch: 64,
    peer: 'gated_pixelcnn.py',
    convolutional: true,
  },
  {
    name: 'glow',
    family: 'glow',
    preset: 'benchmark',
    // Adamax as the family has it would not be Adam.
    training: { optimiser: { name: 'adam', learningRate: 1e-3 } },
    data: 'mnist',
    batch: 64,
    peer: 'glow.py',
    convolutional: true,
  },
  {
    name: 'made',
    family: 'made',
    preset: 'benchmark',
    data: 'mnist',
    batch: 64,
    peer: 'made.py',
    convolutional: false,
  },
];
