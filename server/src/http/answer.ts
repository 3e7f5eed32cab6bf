// A verb's responses in the form that the caller accepts: JSON, lines of JSON, binary, a picture or a NumPy array.
import type { IncomingMessage } from 'node:http';
import {
  encodeBodyParts,
  encodeFrame,
  GenserveError,
  HEAD_LENGTH_HEADER,
  type Message,
  type NpyData,
  writeNpy,
} from '@genserve/runtime';
import accepts from 'accepts';
import type { Verb } from '../verbs/verb.js';
import { errorBody, toGenserveError } from './errors.js';
import { toFrameMessage } from './frame-message.js';
import type { Answer } from './scope.js';
import { sendBytes, sendJson } from './send.js';

/** Forms of a response that only some verbs have. */
export interface Views<Response> {
  picture?(response: Response): Promise<Buffer>;
  array?(response: Response): { shape: readonly number[]; data: NpyData };
}

/** What of a verb concerns its answer. */
export type Answering<Response> = Pick<Verb<unknown, Response>, 'name' | 'response' | 'join'>;

export const media = {
  json: 'application/json',
  lines: 'application/x-ndjson',
  body: 'application/octet-stream',
  frames: 'application/x-genserve-frames',
  picture: 'image/png',
  array: 'application/x-npy',
} as const;
type Form = keyof typeof media;

/** What `?format=` calls them, for those who would rather not set a header. */
export const formNames: Readonly<Record<string, Form>> = {
  json: 'json',
  ndjson: 'lines',
  binary: 'body',
  frames: 'frames',
  png: 'picture',
  npy: 'array',
};

/** By the name in the URL where there is one, else by `Accept`. @throws UNSUPPORTED_MEDIA_TYPE where the verb gives no such form. */
export function chooseForm<Response>(
  request: IncomingMessage,
  named: string | undefined,
  verb: Answering<Response>,
  views: Views<Response>,
): Form {
  const forms: Form[] = ['json', 'body'];
  if (verb.join !== undefined) forms.push('lines', 'frames');
  if (views.picture !== undefined) forms.push('picture');
  if (views.array !== undefined) forms.push('array');
  if (named !== undefined) {
    const form = formNames[named];
    if (form !== undefined && forms.includes(form)) return form;
    const given = Object.keys(formNames).filter(name => forms.includes(formNames[name] ?? 'json'));
    const message = `format: ${verb.name} gives ${given.join(', ')}; asked for was ${named}`;
    throw new GenserveError('UNSUPPORTED_MEDIA_TYPE', message, { field: 'format' });
  }
  const wanted = request.headers.accept;
  // What most callers send, for whom nothing is to be weighed.
  const plain = wanted === undefined ? 'json' : forms.find(form => media[form] === wanted);
  if (plain !== undefined) return plain;
  const accepted = accepts(request).types(forms.map(form => media[form]));
  const chosen = forms.find(form => media[form] === accepted);
  if (chosen !== undefined) return chosen;
  const given = forms.map(form => media[form]).join(', ');
  const message = `Accept: ${verb.name} gives ${given}; asked for was ${wanted}`;
  throw new GenserveError('UNSUPPORTED_MEDIA_TYPE', message, { field: 'Accept' });
}

/** Sends the whole answer. What fails before the first byte is thrown; later, a stream ends with the error. */
export async function sendAnswer<Response>(
  response: Answer,
  form: Form,
  verb: Answering<Response>,
  views: Views<Response>,
  parts: AsyncIterable<Response>,
  signal: AbortSignal,
): Promise<void> {
  if (form === 'lines' || form === 'frames') return sendStream(response, form, verb, parts, signal);
  const collected: Response[] = [];
  for await (const part of parts) collected.push(part);
  const [first] = collected;
  const whole = verb.join?.(collected) ?? first;
  if (whole === undefined) throw new GenserveError('INTERNAL', `${verb.name} gave no answer`);
  if (form === 'picture' && views.picture !== undefined) {
    sendBytes(response, media.picture, [await views.picture(whole)]);
  } else if (form === 'array' && views.array !== undefined) {
    const { shape, data } = views.array(whole);
    sendBytes(response, media.array, [writeNpy(shape, data)]);
  } else if (form === 'body') {
    sendBody(response, toFrameMessage(whole));
  } else {
    sendJson(response, verb.response.toJSON(whole));
  }
}

function sendBody(response: Answer, message: Message): void {
  const [head, ...tensors] = encodeBodyParts(message);
  response.setHeader(HEAD_LENGTH_HEADER, head.length);
  sendBytes(response, media.body, [head, ...tensors]);
}

async function sendStream<Response>(
  response: Answer,
  form: 'lines' | 'frames',
  verb: Answering<Response>,
  parts: AsyncIterable<Response>,
  signal: AbortSignal,
): Promise<void> {
  const encode = (part: Response) =>
    form === 'lines' ? `${JSON.stringify(verb.response.toJSON(part))}\n` : encodeFrame(toFrameMessage(part));
  try {
    for await (const part of parts) {
      if (!response.headersSent) response.setHeader('Content-Type', media[form]);
      if (!response.write(encode(part))) await drained(response, signal);
    }
  } catch (thrown) {
    if (!response.headersSent) throw thrown;
    const body = errorBody(toGenserveError(thrown), response.locals.requestId ?? '');
    response.write(form === 'lines' ? `${JSON.stringify(body)}\n` : encodeFrame({ error: { ...body.error } }));
  }
  response.end();
}

function drained(response: Answer, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      response.off('drain', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    response.on('drain', done);
    signal.addEventListener('abort', done, { once: true });
    if (signal.aborted) done();
  });
}
