// What the page shows, as programs: the same request in curl, TypeScript and Python.

export type Language = 'curl' | 'typescript' | 'python';
export type Place = 'server' | 'browser';

export interface SampleTopic {
  readonly kind: 'sample';
  readonly place: Place;
  readonly count: number;
  readonly seed: number;
  readonly temperature?: number | undefined;
  readonly truncation?: number | undefined;
  readonly label?: number | undefined;
}

export interface AnomalyTopic {
  readonly kind: 'anomaly';
  readonly place: Place;
  /** The picture that was scored, as PNG in base64. */
  readonly png: string;
}

export interface DecodeTopic {
  readonly kind: 'decode';
  readonly place: Place;
  /** One code by port name. */
  readonly latents: Readonly<Record<string, readonly number[]>>;
}

export interface CompleteTopic {
  readonly kind: 'complete';
  readonly place: Place;
  readonly count: number;
  readonly seed: number;
  readonly png: string;
  /** float32, little-endian, in base64. */
  readonly mask: { readonly shape: readonly number[]; readonly data: string };
}

export interface TranslateTopic {
  readonly kind: 'translate';
  readonly place: Place;
  readonly png: string;
  readonly strength?: number | undefined;
  readonly backward: boolean;
}

export type Topic = SampleTopic | AnomalyTopic | DecodeTopic | CompleteTopic | TranslateTopic;

export interface Target {
  /** Address of the server, without a slash at its end. */
  readonly server: string;
  readonly model: string;
  readonly bundleUrl: string;
}

export function snippet(language: Language, topic: Topic, target: Target): string {
  if (language === 'curl') return curl(topic, target);
  return language === 'python' ? python(topic, target) : typescript(topic, target);
}

interface RequestBody {
  readonly verb: string;
  readonly message: object;
  /** Whether the answer is a picture. */
  readonly draws: boolean;
}

function requestOf(topic: Topic): RequestBody {
  const generate = (message: object): RequestBody => ({ verb: 'generate', message, draws: true });
  if (topic.kind === 'anomaly') {
    return { verb: 'anomaly', message: { inputs: { images: [topic.png] }, map: true }, draws: false };
  }
  if (topic.kind === 'decode') {
    const tensor = (values: readonly number[]) => ({
      dtype: 'float32',
      shape: [1, values.length],
      values: values.map(shortened),
    });
    const values = Object.fromEntries(Object.entries(topic.latents).map(([name, code]) => [name, tensor(code)]));
    return generate({ seed: 0, latents: { values } });
  }
  if (topic.kind === 'complete') {
    const { count, seed, png, mask } = topic;
    return generate({ count, seed, completion: { image: { images: [png] }, mask: { dtype: 'float32', ...mask } } });
  }
  if (topic.kind === 'translate') {
    const { png, strength, backward } = topic;
    return generate({
      seed: 0,
      translation: {
        image: { images: [png] },
        ...(strength !== undefined && { strength }),
        ...(backward && { backward }),
      },
    });
  }
  const { count, seed, temperature, truncation, label } = topic;
  const message = {
    count,
    seed,
    ...(temperature !== undefined && { temperature }),
    ...(truncation !== undefined && { truncation }),
    ...(label !== undefined && { conditions: { labels: [label] } }),
  };
  return { verb: label === undefined ? 'sample' : 'generate', message, draws: true };
}

/** Enough of a number for a picture to be the same to the eye. */
function shortened(value: number): number {
  return Number(value.toFixed(4));
}

function curl(topic: Topic, { server, model }: Target): string {
  const { verb, message, draws } = requestOf(topic);
  return [
    `curl -s '${server}/v1/models/${model}:${verb}' \\`,
    `  -H 'content-type: application/json' \\`,
    ...(draws ? [`  -H 'accept: image/png' \\`] : []),
    `  -d '${JSON.stringify(message)}'${draws ? ' \\' : ''}`,
    ...(draws ? ['  -o samples.png'] : []),
  ].join('\n');
}

function typescript(topic: Topic, { server, model, bundleUrl }: Target): string {
  const [verb, call] =
    topic.place === 'browser'
      ? ['loadGenerator', `loadGenerator('${bundleUrl}')`]
      : ['connect', `connect('${server}', { model: '${model}' })`];
  const { imports, lines } = callOf(topic);
  return `import { ${[verb, ...imports].join(', ')} } from '@genserve/sdk';

const generator = await ${call};
${lines}`;
}

const PICTURE = `const context = document.querySelector('canvas').getContext('2d');
const picture = context.getImageData(0, 0, context.canvas.width, context.canvas.height);
const row = fromPixels(picture, generator.manifest, { fit: 'contain' });`;

/** What is done with the model, and what is imported for it. */
function callOf(topic: Topic): { readonly imports: readonly string[]; readonly lines: string } {
  if (topic.kind === 'anomaly') {
    return {
      imports: ['fromPixels'],
      lines: `${PICTURE}

const [{ scores, map }] = await generator.anomaly(row, { map: true });
console.log(scores[0].decision, scores[0].pValue);`,
    };
  }
  if (topic.kind === 'decode') {
    const codes = Object.entries(topic.latents).map(
      ([name, code]) => `  ${name}: float32([1, ${code.length}], [${code.map(shortened).join(', ')}]),`,
    );
    return {
      imports: ['float32', 'toCanvas'],
      lines: `const codes = {
${codes.join('\n')}
};
const { data } = await generator.decode(codes, { seed: 0 });
document.body.append(toCanvas(data));`,
    };
  }
  if (topic.kind === 'complete') {
    const [, height, width] = topic.mask.shape;
    return {
      imports: ['float32', 'fromPixels', 'toCanvas'],
      lines: `${PICTURE}
// 1 = known, kept exactly; 0 = to be drawn. Here the lower half.
const known = Array.from({ length: ${height} * ${width} }, (_, i) => (i < (${height} * ${width}) / 2 ? 1 : 0));
const mask = float32([1, ${height}, ${width}, 1], known);

const canvas = document.body.appendChild(document.createElement('canvas'));
const options = { count: ${topic.count}, seed: ${topic.seed}, previews: true };
for await (const { data } of generator.completeStream(row, mask, options)) toCanvas(data, { canvas });`,
    };
  }
  if (topic.kind === 'translate') {
    const { strength, backward } = topic;
    const options = [
      ...(strength === undefined ? [] : [`strength: ${strength}`]),
      ...(backward ? ['backward: true'] : []),
      'seed: 0',
    ];
    return {
      imports: ['fromPixels', 'toCanvas'],
      lines: `${PICTURE}

const { data } = await generator.translate(row, { ${options.join(', ')} });
document.body.append(toCanvas(data));`,
    };
  }
  const { count, seed, temperature, truncation, label } = topic;
  const options = Object.entries({ count, seed, temperature, truncation, label })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}`);
  return {
    imports: ['toCanvas'],
    lines: `const samples = await generator.sample({ ${options.join(', ')} });
document.body.append(toCanvas(samples.data));`,
  };
}

function python(topic: Topic, { server, model }: Target): string {
  const { verb, message, draws } = requestOf(topic);
  const body = JSON.stringify(message).replaceAll('true', 'True');
  const imports = draws ? 'import base64, json, urllib.request\nimport numpy' : 'import json, urllib.request';
  const use = draws
    ? `tensor = answer["samples"]
samples = numpy.frombuffer(base64.b64decode(tensor["data"]), "<f4").reshape(tensor["shape"])
print(samples.shape)`
    : `score = answer["results"][0]["scores"][0]
print(score["decision"], score.get("pValue"))`;
  return `${imports}

request = urllib.request.Request(
    "${server}/v1/models/${model}:${verb}",
    json.dumps(${body}).encode(),
    {"Content-Type": "application/json"},
)
answer = json.load(urllib.request.urlopen(request))
${use}`;
}
