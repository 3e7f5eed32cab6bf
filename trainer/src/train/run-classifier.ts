// The classifier that judges a run's samples at each evaluation, noted in its record so that one curve is of one measure.
import { resolve } from 'node:path';
import { GenserveError, invalid } from '@genserve/runtime';
import { type Judge, openJudge } from '../evaluate/samples/judge.js';
import type { Model } from '../family.js';
import type { Callbacks } from './callbacks.js';
import type { RunRecord } from './run-folder.js';

type RunClassifier = NonNullable<RunRecord['classifier']>;

/** `folder` is models/<name>/<version>. Throws INVALID_ARGUMENT where it is no classifier of what the model draws. */
export async function noteClassifier(
  folder: string,
  model: Model,
  { domain, family }: Pick<RunRecord, 'domain' | 'family'>,
): Promise<RunClassifier> {
  if (!model.operations.some(({ name }) => name === 'sample'))
    throw invalid('classifier', `${family} draws no samples that could be judged`);
  const judge = await openJudge(folder, domain);
  await judge.close();
  return { folder: resolve(folder), name: judge.name, sha256: judge.hash };
}

/** None, with a warning, where it is gone or another by now: the run goes on without that curve. */
export async function openRunClassifier(
  { classifier, domain }: Pick<RunRecord, 'classifier' | 'domain'>,
  onWarning: Required<Callbacks>['onWarning'],
): Promise<Judge | undefined> {
  if (!classifier) return undefined;
  const say = async (reason: string) => onWarning(`samples are not judged: ${reason}`);
  try {
    const judge = await openJudge(classifier.folder, domain);
    if (judge.hash === classifier.sha256) return judge;
    await judge.close();
    await say(`${classifier.folder} is not the classifier that the run began with`);
  } catch (error) {
    if (!(error instanceof GenserveError)) throw error;
    await say(error.message);
  }
  return undefined;
}
