// A request's body, in any of the forms that HTTP takes, as the verb's message.
import type { IncomingMessage } from 'node:http';
import { GenserveError, HEAD_LENGTH_HEADER, invalid, type NpyArray, readNpy } from '@genserve/runtime';
import { longFormat } from '../verbs/messages.js';
import { validateJson } from '../verbs/validate.js';
import type { Verb } from '../verbs/verb.js';
import { parseJson, readBody } from './body.js';
import { type Piece, placePieces, splitFrame } from './frame-message.js';

type Fields = Readonly<Record<string, unknown>>;

/** Reads one verb's messages: `fixed` are the fields that the path states, `query` those of the URL. */
export class MessageReader<Request> {
  constructor(
    private readonly verb: Verb<Request, unknown>,
    private readonly maxBodyBytes: number,
  ) {}

  /** @throws INVALID_ARGUMENT, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE */
  async read(request: IncomingMessage, fixed: Fields, query: URLSearchParams): Promise<Request> {
    const contentType = request.headers['content-type'] ?? 'application/json';
    const media = (contentType.split(';')[0] ?? '').trim().toLowerCase();
    const body = await readBody(request, this.maxBodyBytes);
    const fields = this.#fieldsOf(query);
    if (media === 'application/octet-stream') {
      const { json, pieces } = splitFrame(body, headLengthOf(request));
      return this.#assemble(json, fields, fixed, pieces);
    }
    // curl's --data says that it is a form unless told otherwise; what it sends here is JSON.
    if (body.length === 0 || media === 'application/json' || media === 'application/x-www-form-urlencoded') {
      return this.#assemble(parseJson(body), fields, fixed);
    }
    if (!('inputs' in this.verb.requestSchema.shape)) throw this.#unsupported(media);
    if (media.startsWith('image/')) return this.#withPictures([body], fields, fixed);
    if (media === 'multipart/form-data') {
      const { pictures, texts } = await readMultipart(body, contentType);
      return this.#withPictures(pictures, { ...fields, ...this.#fieldsOf(texts) }, fixed);
    }
    if (media === 'application/x-npy' || media === 'application/npy') {
      const value = wireTensor(readNpy(body, 'body'));
      return this.#assemble({ inputs: { tensor: {} } }, fields, fixed, [{ path: ['inputs', 'tensor'], value }]);
    }
    throw this.#unsupported(media);
  }

  #withPictures(pictures: readonly Buffer[], fields: Fields, fixed: Fields): Request {
    const pieces = pictures.map((value, i) => ({ path: ['inputs', 'images', i], value }));
    return this.#assemble({ inputs: { images: pictures.map(() => '') } }, fields, fixed, pieces);
  }

  #assemble(json: unknown, fields: Fields, fixed: Fields, pieces: readonly Piece[] = []): Request {
    if (!isFields(json)) throw invalid('body', 'must be a JSON object');
    const { inputs, ...rest } = fields;
    const whole: Fields = {
      ...json,
      ...rest,
      ...(isFields(inputs) && { inputs: { ...(isFields(json.inputs) && json.inputs), ...inputs } }),
    };
    validateJson(this.verb.requestSchema, whole);
    for (const [name, value] of Object.entries(fixed)) {
      const given = whole[name] ?? value;
      if (String(given) !== String(value)) throw invalid(name, `is ${given} in the body and ${value} in the path`);
    }
    const format = 'format' in whole && { format: longFormat(whole.format) };
    const message = this.verb.request.fromJSON({ ...whole, ...format, ...fixed });
    placePieces(message, pieces);
    return message;
  }

  /** Parameters of a URL or a form as JSON: the schema decides what a text stands for. One that is repeated is a list. */
  #fieldsOf(parameters: Iterable<readonly [string, string]>): Fields {
    const texts = new Map<string, string>();
    for (const [name, text] of parameters) texts.set(name, texts.has(name) ? `${texts.get(name)},${text}` : text);
    const schemas = new Map(Object.entries(this.verb.requestSchema.shape));
    const fields = new Map<string, unknown>();
    const inputs = new Map<string, unknown>();
    for (const [name, text] of texts) {
      if (name === 'fit') inputs.set(name, text);
      else if (name === 'invert') inputs.set(name, text === 'true' || text);
      else {
        const readings = [text, text === 'true' ? true : text === 'false' ? false : text, text.split(',')];
        fields.set(name, readings.find(reading => schemas.get(name)?.safeParse(reading).success) ?? text);
      }
    }
    if (inputs.size > 0) fields.set('inputs', Object.fromEntries(inputs));
    // Not by assignment: a caller may name a parameter __proto__.
    return Object.fromEntries(fields);
  }

  #unsupported(media: string): GenserveError {
    const others = 'inputs' in this.verb.requestSchema.shape ? ', image/*, multipart/form-data, application/x-npy' : '';
    const taken = `application/json, application/octet-stream${others}`;
    const message = `Content-Type ${media} is not taken; ${this.verb.name} takes ${taken}`;
    return new GenserveError('UNSUPPORTED_MEDIA_TYPE', message, { field: 'Content-Type' });
  }
}

function headLengthOf(request: IncomingMessage): number {
  const header = request.headers[HEAD_LENGTH_HEADER.toLowerCase()];
  if (header === undefined) throw invalid(HEAD_LENGTH_HEADER, 'must state the bytes of the JSON head');
  return Number(header);
}

/** Files become pictures in their order, whatever their names; other parts are fields. */
async function readMultipart(
  body: Buffer<ArrayBuffer>,
  contentType: string,
): Promise<{ pictures: Buffer[]; texts: [string, string][] }> {
  const pictures: Buffer[] = [];
  const texts: [string, string][] = [];
  const form = await new Response(body, { headers: { 'content-type': contentType } }).formData().catch(cause => {
    throw new GenserveError('INVALID_ARGUMENT', 'body: must be multipart/form-data', { field: 'body', cause });
  });
  for (const [name, value] of form) {
    if (typeof value === 'string') texts.push([name, value]);
    else pictures.push(Buffer.from(await value.arrayBuffer()));
  }
  return { pictures, texts };
}

function wireTensor({ shape, data }: NpyArray) {
  const values = data instanceof Float64Array ? Float32Array.from(data) : data;
  const dtype = values instanceof Float32Array ? 'float32' : values instanceof Int32Array ? 'int32' : 'uint8';
  return {
    dtype,
    shape: [...shape],
    data: Buffer.from(values.buffer, values.byteOffset, values.byteLength),
    values: [],
  };
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
