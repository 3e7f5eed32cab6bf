// What the page shows, as programs: the same request in curl, TypeScript and Python.

export type Language = 'curl' | 'typescript' | 'python';
export type Place = 'server' | 'browser';

export interface SampleTopic {
  readonly kind: 'sample';
  readonly place: Place;
  readonly count: number;
  readonly seed: number;
  readonly temperature?: number | undefined;
  readonly label?: number | undefined;
}

export interface AnomalyTopic {
  readonly kind: 'anomaly';
  readonly place: Place;
  /** The picture that was scored, as PNG in base64. */
  readonly png: string;
}

export type Topic = SampleTopic | AnomalyTopic;

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

function verbOf(topic: Topic): string {
  if (topic.kind === 'anomaly') return 'anomaly';
  return topic.label === undefined ? 'sample' : 'generate';
}

function messageOf(topic: Topic): object {
  if (topic.kind === 'anomaly') return { inputs: { images: [topic.png] }, map: true };
  const { count, seed, temperature, label } = topic;
  return {
    count,
    seed,
    ...(temperature !== undefined && { temperature }),
    ...(label !== undefined && { conditions: { labels: [label] } }),
  };
}

function curl(topic: Topic, { server, model }: Target): string {
  const isSample = topic.kind === 'sample';
  return [
    `curl -s '${server}/v1/models/${model}:${verbOf(topic)}' \\`,
    `  -H 'content-type: application/json' \\`,
    ...(isSample ? [`  -H 'accept: image/png' \\`] : []),
    `  -d '${JSON.stringify(messageOf(topic))}'${isSample ? ' \\' : ''}`,
    ...(isSample ? ['  -o samples.png'] : []),
  ].join('\n');
}

function typescript(topic: Topic, { server, model, bundleUrl }: Target): string {
  const [verb, call] =
    topic.place === 'browser'
      ? ['loadGenerator', `loadGenerator('${bundleUrl}')`]
      : ['connect', `connect('${server}', { model: '${model}' })`];
  if (topic.kind === 'anomaly') {
    return `import { ${verb}, fromPixels } from '@genserve/sdk';

const generator = await ${call};
const context = document.querySelector('canvas').getContext('2d');
const picture = context.getImageData(0, 0, context.canvas.width, context.canvas.height);
const row = fromPixels(picture, generator.manifest, { fit: 'contain' });

const [{ scores, map }] = await generator.anomaly(row, { map: true });
console.log(scores[0].decision, scores[0].pValue);`;
  }
  const { count, seed, temperature, label } = topic;
  const options = [
    `count: ${count}`,
    `seed: ${seed}`,
    ...(temperature === undefined ? [] : [`temperature: ${temperature}`]),
    ...(label === undefined ? [] : [`label: ${label}`]),
  ];
  return `import { ${verb}, toCanvas } from '@genserve/sdk';

const generator = await ${call};
const samples = await generator.sample({ ${options.join(', ')} });
document.body.append(toCanvas(samples.data));`;
}

function python(topic: Topic, { server, model }: Target): string {
  const body = JSON.stringify(messageOf(topic)).replaceAll('true', 'True');
  const imports =
    topic.kind === 'sample' ? 'import base64, json, urllib.request\nimport numpy' : 'import json, urllib.request';
  const use =
    topic.kind === 'sample'
      ? `tensor = answer["samples"]
samples = numpy.frombuffer(base64.b64decode(tensor["data"]), "<f4").reshape(tensor["shape"])
print(samples.shape)`
      : `score = answer["results"][0]["scores"][0]
print(score["decision"], score.get("pValue"))`;
  return `${imports}

request = urllib.request.Request(
    "${server}/v1/models/${model}:${verbOf(topic)}",
    json.dumps(${body}).encode(),
    {"Content-Type": "application/json"},
)
answer = json.load(urllib.request.urlopen(request))
${use}`;
}
