// Images in onnxruntime's blocked layout (NCHWc: channels in groups of 8 or 16, each group contiguous) and in tfjs's, channels
// last, read alike.
import type { GraphBuilder } from './builder.js';
import type { Value } from './types.js';

export const TO_LAST = [0, 2, 3, 1];
export const TO_FIRST = [0, 3, 1, 2];

export interface BlockedImage {
  /** [batch, groups, height, width, channels of a group]; one group of any size where the image is channels last. */
  readonly groups: Value;
  readonly channels: number;
  readonly block: number;
  /** Whether each group has `block` channels. */
  readonly whole: boolean;
}

/** `image` [batch, channels, height, width], as it lies in memory before it was put in that order. */
export function readBlocked(builder: GraphBuilder, image: Value, block: number): BlockedImage {
  const last = builder.transpose(image, TO_LAST);
  const [batch, height, width, channels] = last.shape as [number, number, number, number];
  const source = blockedSource(last, block);
  const whole = source !== undefined;
  const shape = whole ? [batch, channels / block, height, width, block] : [batch, 1, height, width, channels];
  return { groups: builder.reshape(source ?? last, shape), channels, block, whole };
}

/** What `image` [batch, height, width, channels] was in blocked layout, in whole groups; undefined where it was not. */
export function blockedSource(image: Value, block: number): Value | undefined {
  const node = image.node?.operator === 'ReorderOutput' ? image.node : undefined;
  if (node?.attributes.channels_last !== 1 || image.shape[3]! % block !== 0) return undefined;
  return node.inputs[0];
}

/** [batch, height, width, channels] in blocked layout, the last group filled with zeros. */
export function toBlocked(builder: GraphBuilder, image: Value, block: number): Value {
  return builder.emit('ReorderInput', [image], { channels_last: 1, block });
}

/** Back to [batch, height, width, channels]. */
export function fromBlocked(builder: GraphBuilder, blocked: Value, channels: number, block: number): Value {
  return builder.emit('ReorderOutput', [blocked], { channels, channels_last: 1, block });
}
