// What the SDK adds to a Generator: where it runs and why there, every form of generation by one name, and its end.
import type {
  CompleteOptions,
  Conditions,
  Generator,
  Samples,
  Tensor,
  Tensors,
  TranslateOptions,
} from '@genserve/runtime';

export interface ClientGenerator extends Generator, AsyncDisposable {
  readonly backend: 'webgpu' | 'wasm' | 'server';
  /** Why it does not run where it was asked to first. May appear later, when a device is lost. */
  readonly fallbackReason: string | undefined;
  /** Every conditional form of generation: what `sample`, `decode`, `interpolate`, `complete` and `translate` do. */
  generate(form: GenerateForm, options?: CompleteOptions): Promise<Samples>;
  /** Ends its worker and gives its memory back; later calls reject with MODEL_UNAVAILABLE. The same as `close`. */
  dispose(): Promise<void>;
}

/** Exactly one of the forms of Generate (contract, section 7). */
export type GenerateForm =
  | { readonly conditions: Conditions }
  | { readonly latents: Tensors; readonly conditions?: Conditions }
  | { readonly interpolation: { readonly from: Tensors; readonly to: Tensors; readonly steps: number } }
  | { readonly completion: { readonly image: Tensor; readonly mask: Tensor } }
  | {
      readonly translation: { readonly image: Tensor } & Pick<TranslateOptions, 'style' | 'strength' | 'backward'>;
    };

/** `ClientGenerator.generate` in terms of the other verbs. */
export function generate(generator: Generator, form: GenerateForm, options: CompleteOptions = {}): Promise<Samples> {
  if ('latents' in form) return generator.decode(form.latents, { ...options, ...form.conditions });
  if ('interpolation' in form) {
    const { from, to, steps } = form.interpolation;
    return generator.interpolate(from, to, { ...options, steps });
  }
  if ('completion' in form) return generator.complete(form.completion.image, form.completion.mask, options);
  if ('translation' in form) {
    const { image, ...rest } = form.translation;
    return generator.translate(image, { ...options, ...rest });
  }
  return generator.sample({ ...options, ...form.conditions });
}
