// Classes by name or number.
import { classCount, GenserveError, invalid, labelNames, type Manifest } from '@genserve/runtime';

/** Throws OPERATION_UNSUPPORTED where the model knows no classes, INVALID_ARGUMENT where it does not know this one. */
export function labelOf(text: string, manifest: Manifest): number {
  const classes = classCount(manifest);
  if (classes === 0) {
    throw new GenserveError(
      'OPERATION_UNSUPPORTED',
      `${manifest.name} was trained without classes: it takes no --label`,
      {
        field: 'label',
      },
    );
  }
  const names = labelNames(manifest);
  const named = names.indexOf(text);
  if (named >= 0) return named;
  const number = Number(text);
  if (/^\d+$/.test(text) && number < classes) return number;
  throw invalid('label', `"${text}" is none of ${names.join(', ')}`);
}
