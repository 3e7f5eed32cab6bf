// React hooks: a model that lives as long as its component, and samples that follow their options.
import { GenserveError, type Progress, type SampleOptions, type Samples } from '@genserve/runtime';
import { useEffect, useRef, useState } from 'react';
import type { ClientGenerator } from './client-generator.js';
import { type LoadOptions, loadGenerator } from './load.js';

export interface GeneratorState {
  /** Undefined while it loads, and after a failure. */
  readonly generator: ClientGenerator | undefined;
  readonly progress: Progress | undefined;
  readonly error: GenserveError | undefined;
}

const LOADING: GeneratorState = { generator: undefined, progress: undefined, error: undefined };

export type UseGeneratorOptions = Omit<LoadOptions, 'signal' | 'onProgress'>;

/**
 * The model whose bundle's folder is at `url`, loaded on the device; ended when the component goes or `url` changes.
 * `options` are those of the first render. Renders nothing by itself and does nothing on a server.
 */
export function useGenerator(url: string, options: UseGeneratorOptions = {}): GeneratorState {
  const [state, setState] = useState(LOADING);
  const first = useRef(options);
  useEffect(() => {
    const abort = new AbortController();
    const { signal } = abort;
    setState(LOADING);
    const loading = loadGenerator(url, {
      ...first.current,
      signal,
      onProgress: progress => signal.aborted || setState(state => ({ ...state, progress })),
    });
    loading.then(
      generator => (signal.aborted ? generator.close() : setState(state => ({ ...state, generator }))),
      error => signal.aborted || setState({ ...LOADING, error: GenserveError.from(error) }),
    );
    return () => {
      abort.abort();
      void loading.then(generator => generator.close()).catch(() => undefined);
    };
  }, [url]);
  return state;
}

export interface SamplesState {
  /** The last that were drawn: they stay while the next are. */
  readonly samples: Samples | undefined;
  readonly error: GenserveError | undefined;
}

/** Samples of a model, drawn again when an option changes; a call that is overtaken is cancelled. */
export function useSamples(
  generator: ClientGenerator | undefined,
  { count, seed, label, temperature, truncation, firstIndex }: Omit<SampleOptions, 'signal' | 'onProgress'> = {},
): SamplesState {
  const [state, setState] = useState<SamplesState>({ samples: undefined, error: undefined });
  const labels = typeof label === 'number' ? label : label?.join();
  useEffect(() => {
    if (!generator) return;
    const abort = new AbortController();
    const { signal } = abort;
    const label = typeof labels === 'string' ? labels.split(',').map(Number) : labels;
    generator.sample({ count, seed, label, temperature, truncation, firstIndex, signal }).then(
      samples => signal.aborted || setState({ samples, error: undefined }),
      error => signal.aborted || setState(({ samples }) => ({ samples, error: GenserveError.from(error) })),
    );
    return () => abort.abort();
  }, [generator, count, seed, labels, temperature, truncation, firstIndex]);
  return state;
}
