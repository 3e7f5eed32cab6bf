import { invalid } from '@genserve/runtime';
import { expect, test } from 'vitest';
import { namingFields } from './fields.js';

test("an argument's name becomes the message's path, in the field and in the message", async () => {
  const work = () => Promise.reject(invalid('label[3]', 'must be below 10'));
  await expect(namingFields({ label: 'conditions.labels' }, work)).rejects.toMatchObject({
    reason: 'INVALID_ARGUMENT',
    field: 'conditions.labels[3]',
    message: 'conditions.labels[3]: must be below 10',
  });
});

test('a name that is not listed, and an error that names none, stay as they are', async () => {
  await expect(namingFields({}, () => Promise.reject(invalid('seed', 'x')))).rejects.toMatchObject({ field: 'seed' });
  await expect(namingFields({ seed: 'y' }, () => Promise.reject(new Error('plain')))).rejects.toThrow('plain');
});
